// All event loops asked together: one list, a loop that is silent, ids that belong to no loop.
import { test } from 'tap'
import { AllLoops } from '../../../src/admin/loops/all-loops.js'
import { type AdminLoop, loopOfStream, streamId } from '../../../src/admin/loops/loop-calls.js'
import { FakeLoop, SEED, streamEntry } from '../../helpers/admin.js'
import { rejectionOf } from '../../helpers/thrown.js'

function join(own: AdminLoop, others: readonly (AdminLoop | null)[]) {
  const asked: number[] = []
  const connect = async (index: number) => {
    asked.push(index)
    return others[index - 1] ?? null
  }
  return { loops: new AllLoops({ own, threads: 1 + others.length, seed: SEED, connect }), asked }
}

test('streams of all loops are one list, the oldest first; a silent loop is named', async (t) => {
  const own = new FakeLoop({ streams: () => [streamEntry({ ageMs: 5 }), streamEntry({ ageMs: 50 })] })
  const other = new FakeLoop({ streams: () => [streamEntry({ loop: 1, ageMs: 20 })] })
  const { loops } = join(own, [other, new FakeLoop()])
  const { answers, silent } = await loops.streams()
  t.same(
    answers.map(({ ageMs }) => ageMs),
    [50, 20, 5],
  )
  t.same(silent, [2])
})

test('requests of all loops are one list, the newest first, cut to the limit', async (t) => {
  const entry = (atMs: number, loop: number) => ({ atMs, loop, line: { id: `${atMs}` }, hasBody: false })
  const { loops } = join(new FakeLoop({ requests: () => [entry(5, 0), entry(1, 0)] }), [
    new FakeLoop({ requests: () => [entry(9, 1), entry(2, 1)] }),
  ])
  const { answers } = await loops.requests({ key: 'a' }, 3)
  t.same(
    answers.map(({ atMs }) => atMs),
    [9, 5, 2],
  )
})

test('a loop is connected once, but asked for again while it does not listen', async (t) => {
  const others: (AdminLoop | null)[] = [null]
  const { loops, asked } = join(new FakeLoop({ providers: () => [] }), others)
  t.same(await loops.ask('providers', []), { answers: [[]], silent: [] })
  others[0] = new FakeLoop({ providers: () => [] })
  await loops.ask('providers', [])
  await loops.ask('providers', [])
  t.same(asked, [1, 1])
})

test('a cancel goes to the loop of the stream alone; what is no stream of this process is not found', async (t) => {
  const own = new FakeLoop({ cancel: () => null })
  const other = new FakeLoop({ cancel: (id) => streamEntry({ id, loop: 1 }) })
  const { loops } = join(own, [other])
  const id = streamId(1, SEED, 5)
  t.equal((await loops.cancel(id, 'oncall')).id, id)
  t.same([own.calls, other.calls], [[], [{ name: 'cancel', args: [id, 'oncall'] }]])
  const foreign = [
    streamId(0, SEED, 5),
    streamId(7, SEED, 1),
    streamId(1, 'other', 5),
    '',
    'x',
    '1',
    `1.${SEED}`,
    `1.${SEED}.5.6`,
  ]
  for (const each of foreign) t.match(await rejectionOf(loops.cancel(each, 'oncall')), { code: 'not_found' }, each)
  t.match(await rejectionOf(loops.watch(id, () => undefined)), { code: 'not_found' })
})

test('a pause that a loop did not take is said', async (t) => {
  const taking = new FakeLoop({ pause: () => null })
  await join(taking, [taking]).loops.pause(['north'])
  t.same(taking.calls.length, 2)
  const { loops } = join(taking, [new FakeLoop()])
  t.match(await rejectionOf(loops.pause(['north'])), { code: 'overloaded', message: /^Event loop 1 did not answer/ })
})

test('an id names its loop, in one spelling', async (t) => {
  t.equal(loopOfStream(streamId(12, SEED, 345), SEED), 12)
  for (const id of [`-1.${SEED}.1`, `1e1.${SEED}.1`, `1.${SEED}.x`, `100.${SEED}.1`, ` 1.${SEED}.1`]) {
    t.equal(loopOfStream(id, SEED), null, id)
  }
})
