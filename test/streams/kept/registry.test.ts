// The kept streams of one loop: found by their owner alone, forgotten in time, and never above their memory.
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { test } from 'tap'
import { MAX_READERS } from '../../../src/streams/kept/readable-log.js'
import { type Elsewhere, KeptStreams } from '../../../src/streams/kept/registry.js'
import { createStreamId, loopOf } from '../../../src/streams/kept/stream-id.js'
import { createFakeTimers } from '../../helpers/fake-timers.js'
import {
  COMPLETE,
  CUT,
  createKeptStreams,
  FakeCounters,
  frame,
  readAll,
  stayAlive,
  turn,
  usedBytes,
} from '../../helpers/kept.js'

const KIB = 1024
const idle = () => undefined

test('a stream is found by its id and its owner; not yours and not there are the same', async (t) => {
  const { streams, open, counters } = createKeptStreams({ loopIndex: 3 })
  const stream = open()
  const id = stream?.facts.id ?? ''
  t.equal(loopOf(id), 3)
  t.equal(streams.find(id, 'owner-1'), stream)
  t.equal(await streams.reach(id, 'owner-1'), stream)
  for (const [wrong, owner] of [
    [id, 'owner-2'],
    [id, ''],
    [`${id}x`, 'owner-1'],
    ['', 'owner-1'],
    ['__proto__', 'owner-1'],
  ] as const) {
    t.equal(streams.find(wrong, owner), null)
    t.equal(await streams.reach(wrong, owner), null)
  }
  t.equal(counters.kept, 1)
})

test('a stream of another loop is reached through one port to it', async (t) => {
  stayAlive(t)
  const home = createKeptStreams({ loopIndex: 1 })
  const asked: number[] = []
  const ports: MessagePort[] = []
  const connectLoop = async (loopIndex: number) => {
    asked.push(loopIndex)
    if (loopIndex !== 1) return null
    const { port1, port2 } = new MessageChannel()
    ports.push(port1, port2)
    home.streams.accept(port2)
    return port1
  }
  const { streams } = createKeptStreams({ loopIndex: 0, connectLoop })
  t.teardown(() => ports[0]?.close())
  const stream = home.open()
  stream?.append(frame('0'))
  const id = stream?.facts.id ?? ''
  t.equal(streams.find(id, 'owner-1'), null, 'it is not here')
  const found = await Promise.all([streams.reach(id, 'owner-1'), streams.reach(id, 'owner-1')])
  for (const log of found) t.same(log?.facts, stream?.facts)
  t.equal(await streams.reach(id, 'owner-2'), null)
  t.equal(await streams.reach(id.replace('str_01', 'str_05'), 'owner-1'), null)
  t.same(asked, [1, 5], 'one port each')
  t.notOk(found[0]?.isCrowded)
  for (let i = 0; i < MAX_READERS; i++) stream?.hold()
  t.ok((await streams.reach(id, 'owner-1'))?.isCrowded, 'by the readers of all loops')
})

test('without other loops their streams are not there', async (t) => {
  const streams = new KeptStreams({ loopIndex: 0, timers: createFakeTimers(), counters: new FakeCounters() })
  t.equal(await streams.reach(createStreamId(1), ''), null)
})

test('an ended stream stays for its retention, then it is forgotten with its memory', (t) => {
  const { streams, open, timers, budget, counters } = createKeptStreams()
  const a = open({ requestId: 'a' }, { keepMs: 5000 })
  const b = open({ requestId: 'b' }, { keepMs: 5000 })
  if (a === null || b === null) throw new Error('no room')
  a.append(frame('x'.repeat(10_000)))
  timers.advance(500)
  a.close(COMPLETE)
  timers.advance(1000)
  b.close(COMPLETE)
  t.equal(timers.pending().length, 1, 'one timer for all')
  timers.advance(3999)
  t.equal(streams.size, 2)
  timers.advance(1)
  t.equal(streams.find(a.facts.id, 'owner-1'), null)
  t.equal(streams.find(b.facts.id, 'owner-1'), b)
  timers.advance(1000)
  t.equal(streams.size, 0)
  t.equal(budget.heldBytes, 0)
  t.equal(counters.kept, 0)
  t.same(timers.pending(), [])
  t.end()
})

test('a reader of a stream that is forgotten goes on to its end', (t) => {
  const { streams, open, timers } = createKeptStreams()
  const stream = open()
  stream?.append(frame('1'))
  stream?.close(COMPLETE)
  const reader = stream?.attach({ how: 'replay', offset: 0, onReadable: idle })
  timers.advance(5000)
  t.equal(streams.size, 0)
  t.same(readAll(reader as NonNullable<typeof reader>), ['data: 1\n\n'])
  t.equal(reader?.end(), COMPLETE)
  t.end()
})

test('what failed before it said anything is not kept', (t) => {
  const { streams, open } = createKeptStreams()
  const silent = open()
  silent?.close(CUT)
  t.equal(streams.size, 0)
  const empty = open()
  empty?.close(COMPLETE)
  const cut = open()
  cut?.append(frame('1'))
  cut?.close(CUT)
  t.equal(streams.size, 2)
  t.end()
})

test('without room a new stream is not kept, which is counted', (t) => {
  const { streams, open, counters, budget } = createKeptStreams({ maxBytes: 5 * KIB })
  const first = open()
  t.ok(first)
  t.ok(open())
  t.equal(open(), null)
  budget.scope = 'key'
  t.equal(open(), null)
  t.same(counters.notKept, ['gateway', 'key'])
  t.equal(streams.size, 2, 'running ones stay')
  t.end()
})

test('ended streams make room for new ones, the oldest end first, but none that is being read', (t) => {
  const { streams, open, budget } = createKeptStreams({ maxBytes: 100 * KIB })
  const ended = ['a', 'b', 'c'].map((requestId) => {
    const stream = open({ requestId, owner: requestId })
    stream?.append(frame('x'.repeat(25 * KIB)))
    return stream
  })
  for (const index of [1, 0, 2]) ended[index]?.close(COMPLETE)
  const reader = ended[0]?.attach({ how: 'replay', offset: 0, onReadable: idle })
  const alive = () => ended.map((stream) => streams.find(stream?.facts.id ?? '', stream?.facts.owner ?? '') !== null)
  const running = open({ requestId: 'd', owner: 'd' })
  running?.append(frame('x'.repeat(25 * KIB)))
  t.same(alive(), [true, false, true], 'b ended first')
  running?.append(frame('x'.repeat(25 * KIB)))
  t.same(alive(), [true, false, false], 'a is being read')
  reader?.detach()
  running?.append(frame('x'.repeat(25 * KIB)))
  t.same(alive(), [false, false, false])
  t.ok(budget.heldBytes <= 100 * KIB)
  t.end()
})

test("a key at its own limit gives up its own streams, and nobody else's", (t) => {
  const { streams, open, budget } = createKeptStreams({ maxBytes: 60 * KIB })
  budget.scope = 'key'
  const other = open({ owner: 'other' })
  const own = open({ owner: 'own' })
  for (const stream of [other, own]) {
    stream?.append(frame('x'.repeat(20 * KIB)))
    stream?.close(COMPLETE)
  }
  const next = open({ owner: 'own' })
  next?.append(frame('x'.repeat(20 * KIB)))
  t.equal(streams.find(own?.facts.id ?? '', 'own'), null)
  t.equal(streams.find(other?.facts.id ?? '', 'other'), other)
  t.end()
})

test('one that was forgotten while it ran takes no more memory', async (t) => {
  const { streams, open, budget } = createKeptStreams()
  const stream = open()
  if (stream === null) throw new Error('no room')
  streams.forget(stream)
  streams.forget(stream)
  t.equal(budget.heldBytes, 0)
  for (let i = 0; i < 10; i++) stream.append(frame('x'.repeat(KIB)))
  await turn()
  stream.close(COMPLETE)
  t.equal(budget.heldBytes, 0)
  t.equal(streams.size, 0)
})

test('cancelling abandons an open stream and forgets an ended one', (t) => {
  const { streams, open, abandoned } = createKeptStreams()
  const stream = open()
  stream?.append(frame('1'))
  stream?.cancel()
  t.same(abandoned, ['req-1'])
  stream?.close(CUT)
  t.equal(streams.size, 1)
  stream?.cancel()
  t.equal(streams.size, 0)
  t.end()
})

test('what was forgotten elsewhere is dropped here, unless it runs', (t) => {
  const { streams, open, counters } = createKeptStreams()
  const ended = open()
  const running = open()
  ended?.close(COMPLETE)
  for (const stream of [ended, running]) streams.drop(stream?.facts.id ?? '')
  streams.drop('str_none')
  t.equal(streams.find(ended?.facts.id ?? '', 'owner-1'), null)
  t.equal(streams.find(running?.facts.id ?? '', 'owner-1'), running)
  t.equal(counters.kept, 1)
  t.end()
})

test('when nobody can come back, unread streams are abandoned, and read ones when they are left', (t) => {
  const { streams, open, abandoned, timers } = createKeptStreams()
  open({ requestId: 'left' })
  const read = open({ requestId: 'read' })
  const reader = read?.attach({ how: 'first', offset: 0, onReadable: idle })
  streams.leave()
  t.same(abandoned, ['left'])
  const late = open({ requestId: 'late' })
  const lateReader = late?.attach({ how: 'first', offset: 0, onReadable: idle })
  timers.advance(60_000)
  t.same(abandoned, ['left'])
  reader?.detach()
  lateReader?.detach()
  timers.advance(0)
  t.same(abandoned, ['left', 'read', 'late'])
  t.end()
})

test('10,000 finished streams stay within their memory', (t) => {
  const maxBytes = 16 * KIB * KIB
  const { streams, open, budget, counters } = createKeptStreams({ maxBytes })
  const text = frame('x'.repeat(100))
  for (let i = 0; i < 10_000; i++) {
    const stream = open({ owner: `owner-${i % 7}` })
    for (let n = 0; n < 40; n++) stream?.append(text)
    stream?.close(COMPLETE)
    if (budget.heldBytes > maxBytes) t.fail(`${budget.heldBytes} after ${i}`)
  }
  t.equal(counters.notKept.length, 0)
  t.equal(counters.kept, streams.size)
  t.ok(streams.size > 1500, `${streams.size} are kept`)
  t.end()
})

test('a stream that only this process reads is opened nowhere else', (t) => {
  const { streams, open } = createKeptStreams()
  const opened: string[] = []
  const elsewhere: Elsewhere = {
    opened: ({ facts }) => void opened.push(facts.id),
    copies: idle,
    storeOrigin: idle,
    find: async () => null,
    cancelled: idle,
    movable: (_stream, reader) => reader,
    isShared: () => false,
    handOver: idle,
    close: async () => undefined,
  }
  streams.join(elsewhere)
  const stream = open()
  open({}, { isPrivate: true })
  t.same(opened, [stream?.facts.id])
  t.end()
})

test('a private stream is stored for those that have its frames, if they are of its owner, and its readers stay', async (t) => {
  const { streams, open } = createKeptStreams()
  const notes: string[] = []
  streams.join({
    opened: idle,
    copies: ({ facts }, origin) => void notes.push(`${facts.id} of ${origin}`),
    storeOrigin: ({ facts }, keepMs) => void notes.push(`${facts.id} for ${keepMs}`),
    find: async () => null,
    cancelled: idle,
    movable() {
      throw new Error('its readers are no clients')
    },
    isShared: () => false,
    handOver: idle,
    close: async () => undefined,
  })
  const origin = open({}, { isPrivate: true, keepMs: 0 })
  const [mine, foreign] = [open(), open({ owner: 'owner-2' })]
  if (origin === null || mine === null || foreign === null) throw new Error('no room')
  const { id } = origin.facts
  streams.copies(mine, id)
  t.same(notes.splice(0), [`${mine.facts.id} of ${id}`, `${id} for 0`])
  streams.copies(foreign, id)
  t.same(notes.splice(0), [`${foreign.facts.id} of ${id}`])
  t.equal(origin.hasReturningReader, false)
  origin.attach({ how: 'follower', offset: 0, onReadable: idle, canReturn: true }).detach()
  origin.attach({ how: 'follower', offset: 0, onReadable: idle })
  t.equal(origin.hasReturningReader, false)
  origin.attach({ how: 'follower', offset: 0, onReadable: idle, canReturn: true })
  t.equal(origin.hasReturningReader, true)
})

test('that of another loop is stored there', async (t) => {
  const rigs = [0, 1].map((loopIndex) => {
    const notes: string[] = []
    const rig = createKeptStreams({
      loopIndex,
      connectLoop: async (index) => {
        const { port1, port2 } = new MessageChannel()
        t.teardown(() => port1.close())
        rigs[index]?.streams.accept(port1)
        return port2
      },
    })
    rig.streams.join({
      opened: idle,
      copies: (_stream, origin) => void notes.push(`copies ${origin}`),
      storeOrigin: ({ facts }) => void notes.push(`stores ${facts.id}`),
      find: async () => null,
      cancelled: idle,
      movable: (_stream, reader) => reader,
      isShared: () => false,
      handOver: idle,
      close: async () => undefined,
    })
    return { ...rig, notes }
  })
  stayAlive(t)
  const [here, there] = rigs
  const mine = here?.open()
  const origin = there?.open({}, { isPrivate: true })
  if (mine == null || origin == null) throw new Error('no room')
  here?.streams.copies(mine, origin.facts.id)
  while (there?.notes.length === 0) await turn()
  t.same([here?.notes, there?.notes], [[`copies ${origin.facts.id}`], [`stores ${origin.facts.id}`]])
})

test('100,000 streams leave nothing behind', async (t) => {
  const { streams, open, budget, counters, timers } = createKeptStreams({ maxBytes: 4 * KIB * KIB })
  const text = frame('x'.repeat(100))
  const run = async (count: number): Promise<number> => {
    for (let i = 0; i < count; i++) {
      const stream = open({ owner: `owner-${i % 100}` })
      const reader = stream?.attach({ how: 'first', offset: 0, onReadable: idle })
      for (let n = 0; n < 3; n++) stream?.append(text)
      if (i % 3 === 0) stream?.cancel()
      stream?.close(i % 5 === 0 ? CUT : COMPLETE)
      reader?.detach()
      if (i % 7 === 0) timers.advance(100)
      if (i % 100 === 0) await turn()
    }
    timers.advance(5000)
    await turn()
    return usedBytes()
  }
  const before = await run(20_000)
  const grown = (await run(80_000)) - before
  t.ok(grown < KIB * KIB, `${grown} bytes more after 80,000 more`)
  t.same([streams.size, budget.heldBytes, counters.kept], [0, 0, 0])
  t.same(timers.pending(), [])
})
