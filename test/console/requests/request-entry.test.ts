// What a request that has ended says: where its time went, how fast it was, how it looks in a list.
import { test } from 'tap'
import { markOf, type RequestEntry, rateOf, spansOf } from '../../../src/console/requests/request-entry.js'

const ENTRY: RequestEntry = {
  ...{ id: 'r', endedAt: '2026-11-29T16:00:00Z', node: 'n', loop: 0, key: null, surface: 's', transport: 'sse' },
  ...{ model: 'm', target: 't/m', outcome: 'complete', status: 200, finish: 'stop', attempts: 1 },
  tokens: { in: 1, out: 11, cached: 0, reasoning: 0 },
  ...{ ttftMs: 300, totalMs: 800, overheadMs: 5 },
}
const spans = (changes: Partial<RequestEntry>) =>
  spansOf({ ...ENTRY, ...changes }).map(({ name, fromMs, toMs }) => `${name} ${fromMs}-${toMs}`)

test('time goes to the gateway, to the first token and to tokens', async (t) => {
  t.same(spans({}), ['Gateway 0-5', 'To the first token 5-300', 'Tokens 300-800'])
  t.same(spans({ ttftMs: null, totalMs: 40 }), ['Gateway 0-5', 'Without a token 5-40'])
  t.same(spans({ ttftMs: null, overheadMs: null, totalMs: 2 }), ['Without a token 0-2'])
  t.same(spans({ ttftMs: null, totalMs: 0 }), [])
})

test('the wait for a slot and a new connection have bars of their own', async (t) => {
  const queued = { overheadMs: 105, queueMs: 100, connectMs: 40 }
  t.same(spans(queued), [
    'Waiting for a slot 0-100',
    'Gateway 100-105',
    'Connecting 105-145',
    'To the first token 145-300',
    'Tokens 300-800',
  ])
  t.same(spans({ overheadMs: null, queueMs: 30, ttftMs: null, totalMs: 30 }), ['Waiting for a slot 0-30'])
  t.same(spans({ overheadMs: 250, connectMs: 90 })[1], 'Connecting 250-300', 'it does not reach beyond the first token')
})

test('what comes after the last byte of the provider is the way to the client, and not the gateway itself', async (t) => {
  t.same(spans({ overheadMs: 105, settleMs: 100 }), [
    'Gateway 0-5',
    'To the first token 5-300',
    'Tokens 300-700',
    'To the client 700-800',
  ])
  const whole = { ttftMs: null, overheadMs: 30, settleMs: 20, totalMs: 50 }
  t.same(spans(whole), ['Gateway 0-10', 'Without a token 10-30', 'To the client 30-50'])
  t.same(spans({ ttftMs: 799, settleMs: 100 }).at(-1), 'To the client 700-800', 'spans never overlap')
})

test('attempts that failed come before the first token, and never after it', async (t) => {
  const tries = [
    { target: 'a/m', result: 'failed', ms: 100 },
    { target: 'b/m', result: 'failed', ms: 900 },
    { target: 'c/m', result: 'complete', ms: 500 },
  ]
  t.same(spans({ tries }), ['Gateway 0-5', 'a/m: failed 5-105', 'b/m: failed 105-300', 'Tokens 300-800'])
})

test('the rate is that of the tokens after the first one', async (t) => {
  t.equal(rateOf(ENTRY), 20)
  t.equal(rateOf({ ...ENTRY, ttftMs: null }), null)
  t.equal(rateOf({ ...ENTRY, tokens: { ...ENTRY.tokens, out: 1 } }), null)
})

test('only what must be looked at stands out: no fault of the client, no limit that works', async (t) => {
  const marks = [
    'complete',
    'client_gone',
    'rejected',
    'limit',
    'slow_reader',
    'upstream_cut',
    'stalled',
    'failed',
  ].map((outcome) => markOf({ outcome, status: 400 }))
  t.same(marks, ['fine', 'noted', 'noted', 'noted', 'noted', 'bad', 'bad', 'bad'])
  t.same([markOf({ outcome: 'rejected', status: 502 }), markOf({ outcome: 'limit', status: 503 })], ['bad', 'bad'])
  t.equal(markOf({ outcome: 'complete', status: 200 }), 'fine')
})
