// Interim answers that no request asked for: each is skipped, whatever its number, how many come and where they are cut.
import { test } from 'tap'
import { skipContinue } from '../../../src/upstream/pool/informational.js'
import { answer, ScriptedUpstream, whole } from '../../helpers/scripted-upstream.js'
import { testProvider } from '../../helpers/targets.js'
import { probe, testUpstream } from '../../helpers/upstream-probe.js'

const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n'
const HINTS = 'HTTP/1.1 103 Early Hints\r\nlink: </x>; rel=preload\r\n\r\n'
const PROCESSING = 'HTTP/1.1 102 Processing\r\n\r\n'

const ROWS: readonly (readonly [string, string])[] = [
  ['a 100', CONTINUE],
  ['a 100 with headers', 'HTTP/1.1 100 Continue\r\nserver: x\r\ndate: today\r\n\r\n'],
  ['102 and 103', PROCESSING + HINTS],
  ['all of them, several times', (CONTINUE + PROCESSING + HINTS).repeat(20)],
]

for (const [name, interim] of ROWS) {
  test(`${name} before the answer is skipped, and the connection is kept`, async (t) => {
    const server = await ScriptedUpstream.listen(answer({ send: interim }, whole(200, 'ok')))
    const { upstream, pools } = testUpstream()
    t.teardown(() => Promise.all([pools.close(0), server.close()]))
    const provider = testProvider(server.origin)
    for (let i = 0; i < 3; i++) {
      const seen = await probe(upstream, provider).done()
      t.same(seen.events, ['head 200', 'bytes', 'end'], seen.error?.message ?? '')
      t.equal(seen.status, 200)
    }
    t.equal(server.accepted, 1)
  })
}

test('a 100 that comes byte by byte, before the body was sent, is skipped', async (t) => {
  const server = await ScriptedUpstream.listen([
    { drip: CONTINUE, everyMs: 1 },
    { wait: 'request' },
    { drip: CONTINUE, everyMs: 1 },
    whole(201, 'ok'),
  ])
  const { upstream, pools } = testUpstream()
  t.teardown(() => Promise.all([pools.close(0), server.close()]))
  const body = Buffer.alloc(4 * 1024 * 1024, 'x')
  const seen = await probe(upstream, testProvider(server.origin), { request: { body } }).done()
  t.same([seen.status, seen.body], [201, 'ok'], seen.error?.message ?? '')
})

test('interim answers without a final one count as no answer: the first token is still waited for', async (t) => {
  const server = await ScriptedUpstream.listen(answer({ send: CONTINUE + CONTINUE }, { stall: true }))
  const { upstream, pools } = testUpstream()
  t.teardown(() => Promise.all([pools.close(0), server.close()]))
  const seen = await probe(upstream, testProvider(server.origin), { timeouts: { firstTokenMs: 100 } }).done()
  t.same(seen.events, ['error upstream_timeout'])
})

test('an interim answer on a connection without a request ends that connection', async (t) => {
  const server = await ScriptedUpstream.listen(answer(whole(200, 'ok'), { send: CONTINUE }, { stall: true }))
  const { upstream, pools } = testUpstream()
  t.teardown(() => Promise.all([pools.close(0), server.close()]))
  await probe(upstream, testProvider(server.origin)).done()
  await server.until(() => server.closed === 1)
})

test('a socket without the parser is left as it is', (t) => {
  const socket = { [Symbol('parser')]: { onHeadersComplete: 1 }, [Symbol('other')]: {} }
  t.doesNotThrow(() => skipContinue(socket as never))
  t.doesNotThrow(() => skipContinue({} as never))
  t.end()
})
