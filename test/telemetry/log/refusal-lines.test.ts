// Refused requests beyond a rate have no line each; the count of them has.
import { test } from 'tap'
import { errorData } from '../../../src/errors.js'
import { createLog } from '../../../src/telemetry/log/log.js'
import { RefusalLines } from '../../../src/telemetry/log/refusal-lines.js'
import { exchangeRecord } from '../../helpers/exchange-record.js'

const REFUSED = exchangeRecord({ attempts: 0, outcome: 'rejected', status: 401, error: errorData('unauthenticated') })
/** Of one key: as many as it leaves for the others of 200 a second. */
const LINES_OF_ONE = 100

test('admits so many refusals a second, then counts them until the second is over', async (t) => {
  const told: number[] = []
  let done: () => void = () => {}
  const isTold = new Promise<void>((resolve) => {
    done = resolve
  })
  const lines = new RefusalLines((count) => {
    told.push(count)
    done()
  })
  const admitted = Array.from({ length: LINES_OF_ONE + 50 }, () => lines.admit(REFUSED)).filter((is) => is).length
  t.equal(admitted, LINES_OF_ONE)
  // The lines' own timer does not keep the process.
  const keep = setInterval(() => {}, 1000)
  await isTold
  clearInterval(keep)
  t.same(told, [50])
  t.ok(lines.admit(REFUSED), 'a new second')
  lines.flush()
  t.same(told, [50])
})

test('a key’s flood leaves lines for the others, and theirs for more', (t) => {
  const lines = new RefusalLines(() => {})
  const admitted = (keyName: string | null) => {
    let count = 0
    while (lines.admit({ ...REFUSED, keyName })) count += 1
    return count
  }
  t.same([admitted('one'), admitted(null), admitted('two'), admitted('three')], [100, 50, 25, 13])
  lines.flush()
  t.equal(admitted('three'), 100, 'a new second')
  lines.flush()
  t.end()
})

test('a flood of 503 is counted as every other: it comes when there is least time for lines', async (t) => {
  const written: string[] = []
  const destination = { write: (line: string) => void written.push(line), flush: () => Promise.resolve() }
  const log = createLog({ level: 'info', file: null, format: 'json' }, { secrets: [], destination })
  const error = errorData('overloaded')
  for (let i = 0; i < LINES_OF_ONE + 7; i++) log.exchange({ ...REFUSED, status: error.status, outcome: 'limit', error })
  for (let i = 0; i < 3; i++) log.exchange({ ...REFUSED, status: error.status, outcome: 'limit', error, attempts: 1 })
  await log.flush()
  t.equal(written.length, LINES_OF_ONE + 4)
  t.match(JSON.parse(written.at(-1) ?? ''), { level: 'warn', refusals: 7, msg: 'refusals not logged' })
})

test('whatever reached a provider, or was answered, is always admitted', async (t) => {
  const lines = new RefusalLines(() => t.fail('nothing is left out'))
  for (let i = 0; i < 3 * LINES_OF_ONE; i++) {
    if (!lines.admit(exchangeRecord()) || !lines.admit({ ...REFUSED, attempts: 1 })) t.fail('not admitted')
  }
  lines.flush()
  t.ok(lines.admit(REFUSED))
})

test('the log writes the first refusals and the number of the others, and every fault of ours', async (t) => {
  const written: string[] = []
  const destination = { write: (line: string) => void written.push(line), flush: () => Promise.resolve() }
  const log = createLog({ level: 'info', file: null, format: 'json' }, { secrets: [], destination })
  for (let i = 0; i < LINES_OF_ONE + 5; i++) log.exchange(REFUSED)
  log.exchange({ ...REFUSED, outcome: 'failed', error: errorData('internal') })
  await log.flush()
  t.equal(written.length, LINES_OF_ONE + 2)
  t.match(JSON.parse(written.at(-2) ?? ''), { level: 'error' })
  t.match(JSON.parse(written.at(-1) ?? ''), { level: 'warn', refusals: 5, msg: 'refusals not logged' })
})
