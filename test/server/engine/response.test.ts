// The wrapper's write rules against a stub of the engine: cork sizes, offsets, and nothing after the end.
import { setImmediate as turn } from 'node:timers/promises'
import { test } from 'tap'
import { errorData } from '../../../src/errors.js'
import { NO_USAGE } from '../../../src/model/usage.js'
import { type Delivery } from '../../../src/pipeline/sink.js'
import { ClientResponse } from '../../../src/server/engine/response.js'
import { TurnGuard } from '../../../src/server/engine/turn-guard.js'
import { HttpSink, SCRATCH_BYTES } from '../../../src/server/http/sink.js'
import { StreamLog } from '../../../src/streams/log.js'
import { COMPLETE, fakeFace } from '../../helpers/fake-pipeline.js'
import { StubResponse } from '../../helpers/stub-response.js'

/** The engine's cork buffer. */
const CORK_BUFFER_BYTES = 16 * 1024

function create(isHead = false) {
  const stub = new StubResponse()
  const open = { requests: 0, sockets: 0 }
  const floods: string[] = []
  const guard = new TurnGuard(setImmediate, (kind, address) => floods.push(`${kind} ${address.join('.')}`))
  const response = new ClientResponse(stub.asResponse, isHead, { open, guard })
  return { stub, open, response, guard, floods }
}

function follow(readerStallMs = 60_000, now: () => number = () => 0) {
  const { stub, open, response } = create()
  const scratch = Buffer.alloc(SCRATCH_BYTES)
  const commonHeaders = [[['x-request-id', 'r'] as const]]
  const sink = new HttpSink({ response, commonHeaders, readerStallMs, scratch, now, isClosing: () => false })
  response.onGone = () => sink.leave()
  const log = new StreamLog({ capBytes: 1e8, retainBytes: 0 }, () => {})
  const deliveries: Delivery[] = []
  const start = () => {
    sink.begin(
      { headers: [['x-long', 'l'.repeat(4000)]], contentType: 'text/event-stream', transport: 'sse' },
      fakeFace,
    )
    sink.follow(
      (onReadable) => log.attach(onReadable),
      (delivery) => deliveries.push(delivery),
    )
  }
  return { stub, open, response, sink, log, deliveries, start }
}

const SIZES = [1, 5, 300, 15_000, 15_347, 15_348, 15_360, 16_384, 100_000, 2, 40, 15_000, 700, 1]

test('never puts more into a cork than the engine holds, the first one in its own cork included', async (t) => {
  for (const isCorked of [false, true]) {
    const { stub, log, deliveries, start } = follow()
    stub.isCorked = isCorked
    start()
    for (const size of SIZES) log.append(Buffer.alloc(size, String(size % 10)))
    await Promise.resolve()
    const inFirstTurn = stub.corks.length
    t.ok(inFirstTurn > 0)
    stub.isCorked = false
    for (const size of SIZES) {
      log.append(Buffer.alloc(size, String(size % 10)))
      if (size % 2 === 0) await turn()
    }
    log.close(COMPLETE)
    await turn()
    await turn()
    t.ok(Math.max(...stub.corks) <= CORK_BUFFER_BYTES, `${Math.max(...stub.corks)}`)
    const wanted = Buffer.concat([...SIZES, ...SIZES].map((size) => Buffer.alloc(size, String(size % 10))))
    t.ok(Buffer.concat(stub.body).equals(wanted))
    t.same(
      deliveries.map(({ result }) => result),
      ['delivered'],
    )
  }
})

test('joins what one tick brings into one write', async (t) => {
  const { stub, log, start } = follow()
  start()
  for (let i = 0; i < 20; i++) log.append(Buffer.from(`frame ${i};`))
  await turn()
  t.equal(stub.body.length, 1)
})

test('takes nothing from the log while the socket is full', async (t) => {
  const { stub, log, start, deliveries } = follow()
  start()
  await turn()
  stub.isTaking = false
  for (let i = 0; i < 100; i++) log.append(Buffer.alloc(1000, 'a'))
  await turn()
  await turn()
  const taken = Buffer.concat(stub.body).length
  t.ok(taken <= 15_360)
  log.close(COMPLETE)
  await turn()
  t.equal(Buffer.concat(stub.body).length, taken)
  stub.isTaking = true
  const corks = stub.corks.length
  stub.onWritableCall(0)
  await turn()
  await turn()
  t.ok(stub.corks.length > corks)
  t.equal(Buffer.concat(stub.body).length, 100_000)
  t.equal(deliveries.length, 1)
})

test('corks in onWritable even with nothing to write, as nothing else drains the engine', async (t) => {
  const { stub, log, start } = follow()
  start()
  stub.isTaking = false
  log.append(Buffer.from('only'))
  await turn()
  const corks = stub.corks.length
  stub.isTaking = true
  stub.onWritableCall(0)
  t.equal(stub.corks.length, corks + 1)
  stub.onWritableCall(0)
  t.equal(stub.corks.length, corks + 2)
})

test('holds the end of a long stream back until its tail is known to be out', async (t) => {
  const { stub, log, start, deliveries } = follow()
  start()
  await turn()
  log.append(Buffer.alloc(50_000, 'a'))
  await turn()
  await turn()
  log.append(Buffer.from('tail'))
  log.close(COMPLETE)
  // A corked write is always taken; only the one after it tells that it did not go out.
  stub.nextTakings.push(true, false)
  await turn()
  t.notOk(stub.isOver)
  t.equal(deliveries.length, 0)
  stub.onWritableCall(0)
  t.ok(stub.isOver)
  t.equal(Buffer.concat(stub.body).subarray(-5).toString(), 'atail')
  t.equal(deliveries.length, 1)
})

test('cuts a stream that is not taken for readerStallMs, and not one that is', async (t) => {
  const { stub, log, start, deliveries } = follow(300)
  start()
  stub.isTaking = false
  log.append(Buffer.from('a'))
  for (let i = 0; i < 4; i++) {
    await new Promise((resolve) => setTimeout(resolve, 100))
    log.append(Buffer.from('b'))
    stub.onWritableCall(0)
  }
  t.notOk(stub.isCut)
  while (!stub.isCut) await turn()
  t.same(
    deliveries.map(({ result }) => result),
    ['slow_reader'],
  )
})

test('distinguishes an abort by the engine after a stall from one by the client', async (t) => {
  for (const [stalledMs, result] of [
    [100, 'client_gone'],
    [9_000, 'slow_reader'],
  ] as const) {
    let clock = 0
    const { stub, log, start, deliveries } = follow(60_000, () => clock)
    start()
    stub.isTaking = false
    log.append(Buffer.from('a'))
    await turn()
    clock += stalledMs
    stub.isOver = true
    stub.onAbortedCall()
    stub.onAbortedCall()
    t.same(
      deliveries.map((delivery) => delivery.result),
      [result],
    )
  }
})

test('writes no keepalive into a frame, nor behind a full socket', async (t) => {
  const { stub, sink, log, start } = follow()
  sink.keepalive()
  t.equal(stub.body.length, 0, 'not before begin')
  start()
  log.append(Buffer.alloc(40_000, 'a'))
  await Promise.resolve()
  sink.keepalive()
  await turn()
  await turn()
  sink.keepalive()
  stub.isTaking = false
  sink.keepalive()
  sink.keepalive()
  t.equal(Buffer.concat(stub.body).toString(), `${'a'.repeat(40_000)}: ping\n: ping\n`)
})

test('sends an error frame larger than a cork in parts', async (t) => {
  const { stub, log, start } = follow()
  start()
  const error = errorData('upstream_cut', { message: 'm'.repeat(40_000) })
  log.close({ outcome: 'upstream_cut', error, usage: NO_USAGE, usageSource: 'partial' })
  await turn()
  await turn()
  t.ok(stub.isOver)
  t.equal(Buffer.concat(stub.body).toString(), fakeFace.encodeErrorFrame(error))
  t.ok(Math.max(...stub.corks) <= CORK_BUFFER_BYTES)
})

test('continues from the offset that the engine reports', async (t) => {
  const { stub, open, response } = create()
  const body = Buffer.from(Array.from({ length: 50_000 }, (_, i) => i % 251))
  stub.tryEndBytes = 7_000
  response.answer({ status: 200, headers: [], body, isLast: false, rest: 'none' })
  let calls = 0
  for (; !stub.isOver; calls++) stub.onWritableCall(Buffer.concat(stub.body).length)
  t.ok(Buffer.concat(stub.body).equals(body))
  t.equal(calls, 7)
  t.equal(open.requests, 0)
  t.ok(response.isDone)
})

test('answers without a body where none may be, and closes where it must', async (t) => {
  const head = create(true)
  head.response.answer({ status: 200, headers: [], body: Buffer.from('abc'), isLast: false, rest: 'none' })
  t.equal(Buffer.concat(head.stub.body).length, 0)
  t.notOk(head.stub.isConnectionClosed)
  const last = create(true)
  last.response.answer({ status: 200, headers: [], body: Buffer.from('abc'), isLast: true, rest: 'none' })
  await turn()
  t.equal(Buffer.concat(last.stub.body).length, 0)
  t.ok(last.stub.isConnectionClosed)
})

test('an answer waits for the end of its turn where the turn is crowded, or the connection closes after it', async (t) => {
  for (const isLast of [true, false]) {
    const { stub, response, guard } = create()
    for (let i = 0; i < 65 && !isLast; i++) guard.noteRequest(0)
    const answer = { status: 200, headers: [], body: Buffer.from('abc'), isLast, rest: 'none' as const }
    response.answer(answer)
    response.answer(answer)
    t.ok(response.isAnswered)
    t.notOk(response.isDone)
    t.equal(stub.body.length, 0)
    await turn()
    t.equal(Buffer.concat(stub.body).toString(), 'abc')
    t.ok(response.isDone)
  }
})

test('an answer before the rest of a body leaves the connection open for a moment, and a large one ends it', async (t) => {
  for (const [bytes, isKept] of [
    [4096, true],
    [4097, false],
    [16_000, false],
  ] as const) {
    const { stub, open, response } = create()
    const body = Buffer.alloc(bytes, 'a')
    response.answer({ status: 413, headers: [], body, isLast: true, rest: 'dropped' })
    await turn()
    t.ok(response.isDone)
    t.equal(open.requests, 0)
    t.equal(stub.headers.join().includes(body.toString()), isKept, `${bytes} bytes`)
    t.equal(stub.isOver, !isKept)
    t.ok(Math.max(...stub.corks) <= CORK_BUFFER_BYTES)
    // No piece comes: the connection is closed all the same.
    while (!stub.isOver) await new Promise((resolve) => setTimeout(resolve, 10))
    t.equal(stub.isCut, isKept)
  }
})

test('an answer that waits in a crowded turn does not leave the engine alone with a body that would be skipped', async (t) => {
  const { stub, response, guard, floods } = create()
  for (let i = 0; i < 65; i++) guard.noteRequest(0)
  response.answer({ status: 401, headers: [], body: Buffer.from('abc'), isLast: true, rest: 'skipped' })
  for (let i = 0; i < 4096; i++) stub.onDataCall(new ArrayBuffer(1), false)
  t.notOk(stub.isOver)
  stub.onDataCall(new ArrayBuffer(1), false)
  t.equal(Buffer.concat(stub.body).toString(), 'abc')
  t.ok(stub.isConnectionClosed)
  t.same(floods, ['chunks 10.0.0.1'])
})

test('refuses a body in many small pieces, and takes one in as many that are larger', async (t) => {
  for (const [bytes, taken] of [
    [63, 4096],
    [64, 10_000],
  ] as const) {
    const { stub, response, floods } = create()
    let [pieces, gone] = [0, 0]
    response.onGone = () => {
      gone += 1
    }
    response.readBody(() => {
      pieces += 1
    })
    for (let i = 0; i < 10_000 && !stub.isOver; i++) stub.onDataCall(new ArrayBuffer(bytes), false)
    t.equal(pieces, taken)
    t.equal(stub.isConnectionClosed, taken < 10_000)
    t.same([gone, floods.length], taken < 10_000 ? [1, 1] : [0, 0])
  }
})

test('an answer of a later turn than its request never waits', async (t) => {
  const { stub, response, guard } = create()
  await turn()
  guard.enter()
  for (let i = 0; i < 65; i++) guard.noteRequest(0)
  response.answer({ status: 200, headers: [], body: Buffer.from('abc'), isLast: true, rest: 'none' })
  t.ok(stub.isConnectionClosed)
})

test('a client that left before its answer was due gets none; it is reported if the turn was crowded', async (t) => {
  for (const isCrowded of [true, false]) {
    const { stub, response, guard, floods } = create()
    for (let i = 0; i < 65 && isCrowded; i++) guard.noteRequest(0)
    response.answer({ status: 200, headers: [], body: Buffer.from('abc'), isLast: true, rest: 'none' })
    stub.onAbortedCall()
    stub.isOver = true
    await turn()
    t.equal(stub.body.length, 0)
    t.same(floods, isCrowded ? ['requests 10.0.0.1'] : [])
  }
})

test('does nothing after the end', async (t) => {
  const { stub, open, response } = create()
  let gone = 0
  response.onGone = () => {
    gone += 1
  }
  stub.isOver = true
  stub.onAbortedCall()
  stub.onAbortedCall()
  response.answer({ status: 200, headers: [], body: Buffer.from('x'), isLast: false, rest: 'none' })
  response.cork(() => t.fail('corked'))
  response.readBody(() => {})
  t.ok(response.write(Buffer.from('x')))
  t.equal(response.commit([]), 0)
  response.end()
  response.cut()
  response.upgrade(() => t.fail('upgraded'))
  t.equal(gone, 1)
  t.equal(open.requests, 0)
})

test('knows a status it has no words for', async (t) => {
  const { stub, response } = create()
  response.answer({ status: 529, headers: [[['x-a', '1']]], body: Buffer.from('x'), isLast: false, rest: 'none' })
  t.same(stub.headers, ['x-a: 1'])
  t.ok(stub.isOver)
})
