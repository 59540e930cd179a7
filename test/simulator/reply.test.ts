// A reply against a stub of the engine: whatever the engine says of a response, no callback throws.
import { setImmediate as turn } from 'node:timers/promises'
import { test } from 'tap'
import { Reply } from '../../src/simulator/reply.js'
import { StubResponse } from '../helpers/stub-response.js'

const HEAD = { status: '200 OK', contentType: 'text/plain', headers: [] }

function create() {
  const stub = new StubResponse()
  let aborts = 0
  const reply = new Reply(stub.asResponse, () => {
    aborts += 1
  })
  return { stub, reply, aborts: () => aborts }
}

test('a cut whose response the engine has ended already harms nobody', async (t) => {
  const { stub, reply } = create()
  reply.answer(HEAD, Buffer.from('body'), 2)
  // Ended, and no abort reported.
  stub.isOver = true
  await turn()
  await turn()
  t.ok(reply.isOver)
  t.notOk(stub.isCut)
})

test('a cut after the head sends the length and no byte of the body, and closes a turn later', async (t) => {
  const { stub, reply } = create()
  reply.answer(HEAD, Buffer.from('body'), 0)
  t.same(stub.headers, ['content-type: text/plain', 'content-length: 4\r\n'])
  t.same(stub.body, [])
  t.notOk(stub.isCut)
  await turn()
  t.ok(stub.isCut)
})

test('a response that the engine has ended without a word counts as aborted at the next touch, once', async (t) => {
  const kinds: ((reply: Reply) => void)[] = [
    (reply) => reply.write(Buffer.from('x')),
    (reply) => reply.writeEach([Buffer.from('x')]),
    (reply) => reply.answer(HEAD, Buffer.alloc(20_000)),
    (reply) => reply.begin(HEAD, () => {}),
  ]
  for (const act of kinds) {
    const { stub, reply, aborts } = create()
    stub.isOver = true
    act(reply)
    act(reply)
    reply.end()
    reply.cut()
    await turn()
    t.ok(reply.isOver)
    t.equal(aborts(), 1)
  }
})

test('a large answer goes on from the offset that the engine tells, and stops when the response is gone', async (t) => {
  const { stub, reply, aborts } = create()
  const body = Buffer.alloc(50_000, 'abc')
  stub.tryEndBytes = 20_000
  reply.answer(HEAD, body)
  stub.onWritableCall(20_000)
  stub.onWritableCall(40_000)
  t.ok(Buffer.concat(stub.body).equals(body))
  stub.onWritableCall(50_000)
  t.equal(aborts(), 0)
})
