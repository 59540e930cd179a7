// Readers of stored logs without a Redis: how they ask, what they make of a page, and what they do when nothing comes.
import { test } from 'tap'
import { encodeEnd } from '../../../src/streams/redis/stored-end.js'
import { type StoredState } from '../../../src/streams/redis/stored-log.js'
import { type Page } from '../../../src/streams/redis/stored-reader.js'
import { StoredReaders } from '../../../src/streams/redis/stored-readers.js'
import { COMPLETE, Follower } from '../../helpers/stored-streams.js'

const LEASE_MS = 1000
const KEEPALIVE_MS = 300

/** A log of frames '0', '1', ... of one byte each. */
function pageOf(from: number, count: number, ending = ''): Page {
  const bytes = Buffer.from(Array.from({ length: count }, (_, i) => String(from + i)).join(''))
  return { first: 0, next: from + count, ending, batches: [{ from, lengths: Array(count).fill(1), bytes }] }
}

type Asked = {
  readonly wants: readonly { id: string; from: number }[]
  readonly answer: (pages: (Page | null)[] | Error) => void
}

function createReaders() {
  const asked: Asked[] = []
  const notes = {
    nowMs: 0,
    isUp: true,
    attached: [] as string[][],
    detached: [] as string[],
    states: [] as StoredState[],
  }
  const readers = new StoredReaders({
    isUp: () => notes.isUp,
    nowMs: () => notes.nowMs,
    leaseMs: LEASE_MS,
    keepaliveMs: () => KEEPALIVE_MS,
    read: (wants) =>
      new Promise((resolve, reject) => {
        asked.push({ wants, answer: (pages) => (pages instanceof Error ? reject(pages) : resolve(pages)) })
      }),
    attach: (ids) => notes.attached.push([...ids]),
    detach: (id) => notes.detached.push(id),
  })
  const open = (id: string, offset = 0, onKeepalive = () => {}) =>
    new Follower(
      {
        attach: (options) =>
          readers.open({ facts: { id }, note: (state) => notes.states.push(state) }, { ...options, onKeepalive }),
      },
      offset,
    )
  return { readers, asked, notes, open }
}

/** Lets promises and immediates run. */
async function turn(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve))
}

test('readers of one turn are read for in one call, and no second call is made before its answer', async (t) => {
  const { readers, asked, notes, open } = createReaders()
  const [a, b] = [open('a'), open('b', 2)]
  open('a', 1)
  t.same(notes.attached, [['a'], ['b']], 'a log is attached once')
  t.same(
    ['a', 'b', 'c'].map((id) => readers.countOf(id)),
    [2, 1, 0],
  )
  await turn()
  t.same(asked[0]?.wants, [
    { id: 'a', from: 0 },
    { id: 'b', from: 2 },
    { id: 'a', from: 1 },
  ])
  readers.ring('a')
  await turn()
  t.equal(asked.length, 1)
  asked[0]?.answer([pageOf(0, 3), pageOf(1, 3), null])
  await turn()
  t.same(
    [a.got, b.got],
    [
      ['0', '1', '2'],
      ['2', '3'],
    ],
    'a batch that begins earlier is cut to size',
  )
  t.same(
    asked[1]?.wants.map(({ from }) => from),
    [3, 1],
    'those that rang meanwhile',
  )
  t.equal(readers.count, 3)
})

test('a reader asks again when its page is read, if there is more, and not if there is none', async (t) => {
  const { readers, asked, notes, open } = createReaders()
  const follower = open('a')
  follower.isPaused = true
  await turn()
  asked[0]?.answer([{ ...pageOf(0, 2), next: 5 }])
  await turn()
  readers.ring('a')
  readers.beat()
  await turn()
  t.equal(asked.length, 1, 'it still has something to read')
  follower.isPaused = false
  follower.pull()
  await turn()
  t.same(asked[1]?.wants, [{ id: 'a', from: 2 }])
  asked[1]?.answer([pageOf(2, 3)])
  await turn()
  t.equal(asked.length, 2)
  readers.beat()
  await turn()
  t.equal(asked.length, 3, 'a beat asks, should a doorbell be lost')
  asked[2]?.answer([{ ...pageOf(5, 0, encodeEnd(COMPLETE)), batches: [] }])
  await turn()
  t.equal(follower.end?.outcome, 'complete')
  t.match(notes.states.at(-1), { next: 5, ending: /complete/ }, 'the log has heard of it, too')
  readers.beat()
  await turn()
  t.equal(asked.length, 3, 'there is nothing left to ask for')
})

test('attachments are renewed, not of logs that have ended, and end with the last reader', async (t) => {
  const { readers, asked, notes, open } = createReaders()
  const [first, second, ended] = [open('a'), open('a'), open('b')]
  await turn()
  asked[0]?.answer([pageOf(0, 1), pageOf(0, 1), pageOf(0, 1, encodeEnd(COMPLETE))])
  await turn()
  notes.attached = []
  for (let i = 0; i < 4; i++) readers.beat()
  t.same(notes.attached, [['a'], ['a']])
  first.reader.detach()
  first.reader.detach()
  t.same(notes.detached, [])
  second.reader.detach()
  ended.reader.detach()
  t.same(notes.detached, ['a', 'b'])
  t.same([second.reader.read(), second.reader.end()], [null, null])
  readers.ring('a')
  t.equal(readers.count, 0)
})

for (const [what, page] of [
  ['its first frame is no longer held', { ...pageOf(3, 2), first: 3 }],
  [
    'a frame is missing between batches',
    { ...pageOf(2, 2), next: 9, batches: [...pageOf(0, 1).batches, ...pageOf(2, 2).batches] },
  ],
  ['the log says that there are frames, and has none', { ...pageOf(0, 0), next: 4, batches: [] }],
] as const) {
  test(`a reader is cut, and gets nothing behind the gap, when ${what}`, async (t) => {
    const { asked, open } = createReaders()
    const follower = open('a')
    await turn()
    asked[0]?.answer([page])
    await turn()
    t.same([follower.reader.isCut, follower.got, follower.end], [true, [], null])
  })
}

test('a log that is missing is waited for as long as a lease, then the reader is cut', async (t) => {
  const { readers, asked, notes, open } = createReaders()
  const follower = open('a')
  await turn()
  asked[0]?.answer([null])
  await turn()
  notes.nowMs = LEASE_MS - 1
  readers.beat()
  await turn()
  asked[1]?.answer([null])
  await turn()
  t.equal(follower.reader.isCut, false)
  notes.nowMs = LEASE_MS
  readers.beat()
  await turn()
  asked[2]?.answer([null])
  await turn()
  t.equal(follower.reader.isCut, true)
})

test('while Redis is silent clients get keepalives, and after some leases they are sent elsewhere', async (t) => {
  const { readers, asked, notes, open } = createReaders()
  let keepalives = 0
  const follower = open('a', 0, () => {
    keepalives += 1
  })
  await turn()
  asked[0]?.answer(new Error('no answer in time'))
  notes.isUp = false
  for (notes.nowMs = 100; notes.nowMs < 3 * LEASE_MS; notes.nowMs += 100) readers.beat()
  t.equal(keepalives, 9, 'one after each 300 ms')
  t.equal(follower.reader.isCut, false)
  readers.beat()
  t.equal(follower.reader.isCut, true)
  await turn()
  t.equal(asked.length, 1, 'nothing is asked without a connection')
})
