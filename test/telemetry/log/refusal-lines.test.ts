// Refused requests beyond a rate have no line each; the count of them has.
import { test } from 'tap'
import { errorData } from '../../../src/errors.js'
import { createLog } from '../../../src/telemetry/log/log.js'
import { RefusalLines } from '../../../src/telemetry/log/refusal-lines.js'
import { exchangeRecord } from '../../helpers/exchange-record.js'

const REFUSED = exchangeRecord({ attempts: 0, outcome: 'rejected', status: 401, error: errorData('unauthenticated') })
const LINES_A_SECOND = 200

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
  const admitted = Array.from({ length: LINES_A_SECOND + 50 }, () => lines.admit(REFUSED)).filter((is) => is).length
  t.equal(admitted, LINES_A_SECOND)
  // The lines' own timer does not keep the process.
  const keep = setInterval(() => {}, 1000)
  await isTold
  clearInterval(keep)
  t.same(told, [50])
  t.ok(lines.admit(REFUSED), 'a new second')
  lines.flush()
  t.same(told, [50])
})

test('whatever reached a provider, or was answered, is always admitted', async (t) => {
  const lines = new RefusalLines(() => t.fail('nothing is left out'))
  for (let i = 0; i < 3 * LINES_A_SECOND; i++) {
    if (!lines.admit(exchangeRecord()) || !lines.admit({ ...REFUSED, attempts: 1 })) t.fail('not admitted')
  }
  lines.flush()
  t.ok(lines.admit(REFUSED))
})

test('the log writes the first refusals and the number of the others, and every fault of ours', async (t) => {
  const written: string[] = []
  const destination = { write: (line: string) => void written.push(line), flush: () => Promise.resolve() }
  const log = createLog({ level: 'info', file: null, format: 'json' }, { secrets: [], destination })
  for (let i = 0; i < LINES_A_SECOND + 5; i++) log.exchange(REFUSED)
  log.exchange({ ...REFUSED, outcome: 'failed', error: errorData('internal') })
  await log.flush()
  t.equal(written.length, LINES_A_SECOND + 2)
  t.match(JSON.parse(written.at(-2) ?? ''), { level: 'error' })
  t.match(JSON.parse(written.at(-1) ?? ''), { level: 'warn', refusals: 5, msg: 'refusals not logged' })
})
