// Kept streams over a port: read on another event loop as at home, within a window, and never waited for in vain.
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import fc from 'fast-check'
import { type Test, test } from 'tap'
import { HandOver } from '../../../src/streams/kept/hand-over.js'
import { holdStreams } from '../../../src/streams/kept/port-holder.js'
import { PeerStreams } from '../../../src/streams/kept/port-reader.js'
import { type ReadableLog } from '../../../src/streams/kept/readable-log.js'
import { type FrameReader } from '../../../src/streams/reader.js'
import { COMPLETE, CUT, createKeptStreams, frame, readAll, stayAlive, turn } from '../../helpers/kept.js'

type Link = ReturnType<typeof createKeptStreams> & {
  readonly peer: PeerStreams
  readonly ports: readonly MessagePort[]
  readonly stored: readonly string[]
}

function connect(t: Pick<Test, 'teardown'>): Link {
  const rig = createKeptStreams()
  const { port1, port2 } = new MessageChannel()
  const stored: string[] = []
  holdStreams(port1, {
    find: (id, owner) => rig.streams.find(id, owner),
    storeOrigin: (id, owner) => void stored.push(`${id} of ${owner}`),
  })
  stayAlive(t)
  t.teardown(() => port1.close())
  return { ...rig, stored, peer: new PeerStreams(port2), ports: [port1, port2] }
}

async function look(link: Link, id: string): Promise<ReadableLog> {
  const log = await link.peer.look(id, 'owner-1')
  if (log === null) throw new Error('not found')
  return log
}

/** A client on the reading loop, which takes all at once unless it is paused. */
class Client {
  readonly frames: string[] = []
  readonly reader: FrameReader
  keepalives = 0
  isPaused = false
  #waiting: { isMet: () => boolean; resolve: () => void }[] = []

  constructor(log: ReadableLog, offset = 0, canReturn = false) {
    this.reader = log.attach({
      ...{ how: 'resume', offset, canReturn, onReadable: () => this.pump() },
      onKeepalive: () => {
        this.keepalives += 1
        this.#wake()
      },
    })
  }

  pump(): void {
    if (!this.isPaused) this.frames.push(...readAll(this.reader))
    this.#wake()
  }

  /** Resolves when something has come by which this holds. */
  until(isMet: () => boolean): Promise<void> {
    if (isMet()) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push({ isMet, resolve }))
  }

  ended(): Promise<void> {
    return this.until(() => this.reader.end() !== null)
  }

  #wake(): void {
    const met = this.#waiting.filter(({ isMet }) => isMet())
    this.#waiting = this.#waiting.filter((one) => !met.includes(one))
    for (const { resolve } of met) resolve()
  }
}

test('a stream is read as at home: what there is, what comes, and the end', async (t) => {
  const link = connect(t)
  const stream = link.open()
  if (stream === null) throw new Error('no room')
  for (const text of ['0', '1', '2']) stream.append(frame(text))
  const log = await look(link, stream.facts.id)
  t.same([log.facts, log.first, log.next, log.streamEnd], [stream.facts, 0, 3, null])
  const client = new Client(log, 1)
  await client.until(() => client.frames.length === 2)
  t.equal(stream.readerCount, 1)
  stream.append(frame('3'))
  await client.until(() => client.frames.length === 3)
  t.same(client.frames, ['data: 1\n\n', 'data: 2\n\n', 'data: 3\n\n'])
  t.same([client.reader.offset, client.reader.end(), client.reader.isCut], [4, null, false])
  stream.keepalive()
  await client.until(() => client.keepalives === 1)
  stream.close(CUT)
  await client.ended()
  t.same(client.reader.end(), CUT)
  t.same([log.next, log.streamEnd], [4, CUT], 'the number of the error frame')
  t.equal(stream.readerCount, 0)
  const late = new Client(await look(link, stream.facts.id), 4)
  await late.ended()
  t.same(late.frames, [])
})

test('not there and not yours are one answer', async (t) => {
  const link = connect(t)
  const id = link.open()?.facts.id ?? ''
  t.ok(await link.peer.look(id, 'owner-1'))
  t.equal(await link.peer.look(id, 'owner-2'), null)
  t.equal(await link.peer.look('str_00', 'owner-1'), null)
})

test('a reader that leaves starts the grace at home, and one that joins stops it', async (t) => {
  const link = connect(t)
  const stream = link.open()
  if (stream === null) throw new Error('no room')
  stream.append(frame('0'))
  const client = new Client(await look(link, stream.facts.id))
  await client.until(() => client.frames.length === 1)
  link.timers.advance(60_000)
  t.same(link.abandoned, [])
  client.reader.detach()
  client.reader.detach()
  stream.append(frame('1'))
  await look(link, stream.facts.id)
  t.equal(stream.readerCount, 0, 'messages keep their order')
  t.equal(client.frames.length, 1)
  link.timers.advance(1000)
  t.same(link.abandoned, ['req-1'])
})

test('cancelling reaches the stream', async (t) => {
  const link = connect(t)
  const stream = link.open()
  const log = await look(link, stream?.facts.id ?? '')
  log.cancel()
  await look(link, stream?.facts.id ?? '')
  t.same(link.abandoned, ['req-1'])
  stream?.append(frame('0'))
  stream?.close(COMPLETE)
  log.cancel()
  t.equal(await link.peer.look(stream?.facts.id ?? '', 'owner-1'), null, 'an ended one is forgotten')
})

test('a slow reader gets no more than a window ahead, lags at home, and is cut there', async (t) => {
  const link = connect(t)
  const stream = link.open({}, { maxLagBytes: 100_000, maxStreamBytes: 10_000_000 })
  if (stream === null) throw new Error('no room')
  const client = new Client(await look(link, stream.facts.id))
  client.isPaused = true
  const text = 'x'.repeat(10_000)
  for (let i = 0; i < 30; i++) stream.append(frame(text))
  await look(link, stream.facts.id)
  await look(link, stream.facts.id)
  t.equal(client.reader.isCut, false)
  for (let i = 0; i < 30; i++) stream.append(frame(text))
  await client.until(() => client.reader.isCut)
  t.same([client.reader.read(), client.reader.end()], [null, null])
  const again = new Client(await look(link, stream.facts.id), client.reader.offset)
  await again.until(() => again.frames.length === 60)
  t.equal(again.reader.isCut, false, 'it comes back to what is held')
})

test('what is read opens the window again', async (t) => {
  const link = connect(t)
  const stream = link.open({}, { maxLagBytes: 10_000_000, maxStreamBytes: 10_000_000 })
  if (stream === null) throw new Error('no room')
  for (let i = 0; i < 300; i++) stream.append(frame(`${i}${'x'.repeat(10_000)}`))
  stream.close(COMPLETE)
  const client = new Client(await look(link, stream.facts.id))
  client.isPaused = true
  await look(link, stream.facts.id)
  await look(link, stream.facts.id)
  client.isPaused = false
  client.pump()
  const before = client.frames.length
  t.ok(before > 10 && before < 60, `${before} frames of 10 KB came unasked`)
  await client.ended()
  t.same(
    client.frames.map((text) => Number.parseInt(text.slice('data: '.length), 10)),
    Array.from({ length: 300 }, (_, i) => i),
  )
})

test('a loop that dies ends its streams as cut, after what has come', async (t) => {
  const link = connect(t)
  const stream = link.open()
  if (stream === null) throw new Error('no room')
  stream.append(frame('0'))
  const log = await look(link, stream.facts.id)
  const client = new Client(log)
  await client.until(() => client.frames.length === 1)
  const asked = link.peer.look(stream.facts.id, 'owner-1')
  link.ports[0]?.close()
  await client.ended()
  t.match(client.reader.end(), { outcome: 'upstream_cut', error: { code: 'upstream_cut' } })
  t.equal(log.next, 1)
  await asked
  t.equal(await link.peer.look(stream.facts.id, 'owner-1'), null)
  const late = new Client(log, 1)
  await late.ended()
  t.match(late.reader.end(), { outcome: 'upstream_cut' }, 'nobody waits for ever')
  client.reader.detach()
  log.cancel()
})

test('when the reading loop dies, its readers have left', async (t) => {
  const link = connect(t)
  const stream = link.open()
  if (stream === null) throw new Error('no room')
  stream.append(frame('0'))
  const client = new Client(await look(link, stream.facts.id))
  await client.until(() => client.frames.length === 1)
  t.equal(stream.readerCount, 1)
  const closed = new Promise((resolve) => link.ports[0]?.once('close', resolve))
  link.ports[1]?.close()
  await closed
  t.equal(stream.readerCount, 0)
})

test('whoever joins where and when: every frame once, in order', async (t) => {
  const step = fc.oneof(fc.record({ append: fc.integer({ min: 1, max: 5 }) }), fc.record({ join: fc.nat({ max: 12 }) }))
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
      const link = connect(t)
      const stream = link.open()
      if (stream === null) throw new Error('no room')
      const frames: string[] = []
      const log = await look(link, stream.facts.id)
      const clients: { client: Client; from: number }[] = []
      for (const each of steps) {
        if ('join' in each) clients.push({ client: new Client(log, each.join), from: each.join })
        else {
          for (let i = 0; i < each.append; i++) {
            frames.push(`data: ${frames.length}\n\n`)
            stream.append(Buffer.from(frames.at(-1) ?? ''))
          }
          if (each.append % 2 === 0) await look(link, stream.facts.id)
        }
      }
      stream.close(COMPLETE)
      await Promise.all(clients.map(({ client }) => client.ended()))
      link.ports[0]?.close()
      return clients.every(({ client, from }) => client.frames.join('') === frames.slice(from).join(''))
    }),
    { numRuns: 50 },
  )
})

test('a reader that is moved to another node at home is moved here, if its client can return', async (t) => {
  const link = connect(t)
  const handOver = new HandOver()
  link.streams.join({
    opened: () => undefined,
    copies: () => undefined,
    storeOrigin: () => undefined,
    find: async () => null,
    cancelled: () => undefined,
    movable: (_stream, reader, { onReadable }) => handOver.hold({ reader, onReadable, stored: async () => true }),
    isShared: () => true,
    handOver: () => handOver.begin(),
    close: async () => undefined,
  })
  const stream = link.open()
  if (stream === null) throw new Error('no room')
  stream.append(frame('0'))
  const log = await look(link, stream.facts.id)
  const [fixed, returning] = [new Client(log), new Client(log, 0, true)]
  await Promise.all([fixed, returning].map((client) => client.until(() => client.frames.length === 1)))
  t.equal(link.streams.isShared(stream), false)
  link.streams.leave()
  await returning.until(() => returning.reader.isCut)
  t.same([returning.reader.isMoved, fixed.reader.isCut], [true, false])
  fixed.reader.detach()
  while (stream.hasFixedReader) await turn()
  t.equal(link.streams.isShared(stream), true)
})

test('a stream is stored for the other loop', async (t) => {
  const link = connect(t)
  link.peer.send({ type: 'store', id: 'str_a', owner: 'owner-1' })
  while (link.stored.length === 0) await turn()
  t.same(link.stored, ['str_a of owner-1'])
})
