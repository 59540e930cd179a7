import { test } from 'tap'
import { LoopRollups } from '../../../src/accounts/rollups/loop-rollups.js'
import { noCounts, type RollupBatch } from '../../../src/accounts/rollups/types.js'
import { RollupWriter } from '../../../src/gateway/accounts/rollup-writer.js'

const SOURCE = { owner: 'key_a', keyName: 'app', team: '', model: 'm', provider: 'p', tags: [], user: null }

function setUp() {
  const rollups = new LoopRollups('loop', () => 0)
  const sent: RollupBatch[] = []
  const answers: ((isGood: boolean) => void)[] = []
  const store = {
    addRollups(batch: RollupBatch) {
      sent.push(batch)
      return new Promise<void>((resolve, reject) =>
        answers.push((isGood) => (isGood ? resolve() : reject(new Error('away')))),
      )
    },
  }
  return {
    rollups,
    writer: new RollupWriter(rollups, store),
    sent,
    answers,
    add: () => rollups.add(SOURCE, { ...noCounts(), requests: 1 }),
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

test('one batch is written at a time, and one that failed is sent again as it was', async (t) => {
  const { writer, sent, answers, add } = setUp()
  writer.write()
  await turn()
  t.same(sent, [], 'nothing to write')
  add()
  writer.write()
  add()
  writer.write()
  t.equal(sent.length, 1)
  answers[0]?.(false)
  await turn()
  writer.write()
  t.equal(sent[1], sent[0])
  answers[1]?.(true)
  await turn()
  writer.write()
  t.match(sent[2], { sequence: 2, rows: [{ counts: { requests: 1 } }] })
})

test('the end waits for what is being written and then writes the rest, as far as the database takes it', async (t) => {
  const { writer, sent, answers, add } = setUp()
  add()
  writer.write()
  add()
  let isDone = false
  const finished = writer.finish().then(() => {
    isDone = true
  })
  answers[0]?.(true)
  await turn()
  t.match([isDone, sent.length], [false, 2])
  answers[1]?.(true)
  await finished
  add()
  const failing = writer.finish()
  await turn()
  answers[2]?.(false)
  await failing
  t.equal(sent.length, 3, 'not for ever')
})
