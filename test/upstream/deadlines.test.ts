// The time limits of a call, measured at the caller: which one fires, when, and what it says.
import { type Test, test } from 'tap'
import { type Timeouts } from '../../src/config/types.js'
import {
  answer,
  chunk,
  LAST_CHUNK,
  type Script,
  ScriptedUpstream,
  streamHead,
  whole,
} from '../helpers/scripted-upstream.js'
import { testProvider } from '../helpers/targets.js'
import { type ProbeOptions, probe, testUpstream } from '../helpers/upstream-probe.js'

/** A limit that fires late by this much is one that did not fire by itself; a busy machine is never as late. */
const LATE_MS = 3000

async function run(t: Test, script: Script, options: ProbeOptions) {
  const server = await ScriptedUpstream.listen(script)
  const { upstream, pools } = testUpstream()
  t.teardown(() => Promise.all([pools.close(0), server.close()]))
  const seen = await probe(upstream, testProvider(server.origin), options).done()
  await server.until(() => server.closed >= (seen.error === null ? 0 : 1))
  return seen
}

const limits = (special: Partial<Timeouts>): Partial<Timeouts> => special
const sawTokens: ProbeOptions['onEvent'] = (event, seen) => {
  if (event === 'bytes') seen.call?.sawToken()
}

test('no token: the first-token limit fires on time and the socket closes', async (t) => {
  const seen = await run(t, answer({ stall: true }), { timeouts: limits({ firstTokenMs: 200 }) })
  t.equal(seen.code, 'upstream_timeout')
  t.equal(seen.error?.message, 'The provider sent no first token within 200 ms.')
  t.ok(seen.durationMs >= 198 && seen.durationMs < 200 + LATE_MS, `${seen.durationMs} ms`)
})

test('a head and frames without content do not count as the first token', async (t) => {
  const script = answer(streamHead(), { drip: '5\r\n: ok\n\r\n'.repeat(40), everyMs: 20, size: 10 })
  const seen = await run(t, script, { timeouts: limits({ firstTokenMs: 200 }) })
  t.equal(seen.error?.message, 'The provider sent no first token within 200 ms.')
  t.same(seen.events, ['head 200', 'bytes', 'error upstream_timeout'])
})

test('a pause between tokens fires its own limit, far below the first token’s', async (t) => {
  const script = answer(streamHead(), chunk('a'), { delayMs: 50 }, chunk('b'), { stall: true })
  const seen = await run(t, script, { timeouts: limits({ betweenTokensMs: 400 }), onEvent: sawTokens })
  t.equal(seen.error?.message, 'The provider paused between tokens for more than 400 ms.')
  t.equal(seen.body, 'ab')
  t.ok(seen.durationMs >= 445 && seen.durationMs < 450 + LATE_MS, `${seen.durationMs} ms`)
})

test('a slow but steady stream outlives the limit between tokens', async (t) => {
  const script = answer(streamHead(), { drip: '1\r\nx\r\n'.repeat(20), everyMs: 60, size: 6 }, LAST_CHUNK)
  const seen = await run(t, script, {
    timeouts: limits({ firstTokenMs: 1000, betweenTokensMs: 500 }),
    onEvent: sawTokens,
  })
  t.equal(seen.events.at(-1), 'end')
  t.equal(seen.body, 'x'.repeat(20))
})

test('the total limit ends a stream that never stops', async (t) => {
  const script = answer(streamHead(), { drip: '1\r\nx\r\n'.repeat(100), everyMs: 20, size: 6 })
  const seen = await run(t, script, { timeouts: limits({ totalMs: 300 }), onEvent: sawTokens })
  t.equal(seen.error?.message, 'The provider did not complete its response within 300 ms.')
  t.ok(seen.durationMs < 300 + LATE_MS, `${seen.durationMs} ms`)
})

test('a whole answer has no first token to wait for', async (t) => {
  const script = answer({ delayMs: 250 }, whole(200, 'ok'))
  const seen = await run(t, script, { timeouts: limits({ firstTokenMs: 100 }), request: { isStream: false } })
  t.equal(seen.body, 'ok')
})

test('a whole answer that stops half way fires the limit between tokens', async (t) => {
  const script = answer({ send: 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf' }, { stall: true })
  const seen = await run(t, script, { timeouts: limits({ betweenTokensMs: 150 }), request: { isStream: false } })
  t.equal(seen.error?.message, 'The provider paused between tokens for more than 150 ms.')
})

test('limits beyond what a timer can hold do not fire at once', async (t) => {
  const forever = { firstTokenMs: 2 ** 40, betweenTokensMs: 2 ** 40, totalMs: 2 ** 40 }
  const seen = await run(t, answer({ delayMs: 50 }, whole(200, 'ok')), { timeouts: forever })
  t.equal(seen.body, 'ok')
})

test('a call that waits for a connection waits within its first-token limit', async (t) => {
  const server = await ScriptedUpstream.listen(answer(streamHead(), { stall: true }))
  const { upstream, pools } = testUpstream()
  t.teardown(() => Promise.all([pools.close(0), server.close()]))
  const provider = testProvider(server.origin, { maxConnections: 1 })
  const first = probe(upstream, provider)
  const seen = await probe(upstream, provider, { timeouts: limits({ firstTokenMs: 150 }) }).done()
  t.equal(seen.error?.message, 'The provider sent no first token within 150 ms.')
  t.equal(server.requests.length, 1)
  first.call?.abort()
})
