// Providers that send far too much: the gateway takes what fits its bounds, refuses the rest, and its memory is afterwards what
// it was before, looked at once its garbage has been collected.
import { test } from 'tap'
import { DONE, delta, FaultRig, FINISH, type Row } from '../helpers/fault-rig.js'
import { INSPECTED, memoryOf, rssBytes } from '../helpers/inspector.js'
import { answer, CANARY, chunk, LAST_CHUNK, type Step, streamHead, whole } from '../helpers/scripted-upstream.js'

const MEBIBYTE = 1024 * 1024
const HEAD = streamHead()
const LONG = Array.from({ length: 100 }, () => chunk(Buffer.alloc(MEBIBYTE, 0x61)))
const EMPTY_EVENTS = chunk('data:\n\n'.repeat(10_000))
const COMMENTS = chunk(': nothing\n\n'.repeat(10_000))
const TYPE = ['content-type: application/json']
const ANSWER = JSON.stringify({ choices: [{ index: 0, message: { role: 'assistant', content: CANARY } }] })
const headers = (count: number, value: string) => Array.from({ length: count }, (_, i) => `x-${i}: ${value}`)
const times = (count: number, step: Step) => Array.from({ length: count }, () => step)

const ROWS: readonly Row[] = [
  {
    fault: 'one event of 100 MB without an end',
    script: answer(HEAD, chunk('data: "'), ...LONG, { end: 'fin' }),
    expect: { kind: 'early', status: 502 },
  },
  {
    fault: 'one line of 100 MB that is no field',
    script: answer(HEAD, ...LONG, { end: 'fin' }),
    expect: { kind: 'early', status: 502 },
  },
  {
    fault: '100 MB in one event after content',
    script: answer(HEAD, delta(CANARY), chunk('data: "'), ...LONG, { end: 'fin' }),
    expect: { kind: 'late', status: 502 },
  },
  {
    fault: 'a whole answer of 100 MB',
    script: answer({ send: `HTTP/1.1 200 OK\r\ncontent-length: ${100 * MEBIBYTE}\r\n\r\n` }, ...LONG),
    ways: ['json', 'sse', 'websocket'],
    expect: { kind: 'early', status: 502 },
  },
  {
    fault: 'a million empty events before content',
    script: answer(HEAD, ...times(100, EMPTY_EVENTS), delta(CANARY), FINISH, DONE, LAST_CHUNK),
    // Whole, it would be more than an answer may be.
    ways: ['sse', 'websocket', 'fallback'],
    expect: { kind: 'complete' },
  },
  {
    fault: 'a million comments within an answer',
    script: answer(HEAD, delta(CANARY), ...times(100, COMMENTS), FINISH, DONE, LAST_CHUNK),
    // Whole, it would be more than an answer may be.
    ways: ['sse', 'websocket', 'fallback'],
    expect: { kind: 'complete' },
  },
  {
    fault: 'a header of 64 KB',
    script: answer(whole(200, ANSWER, [...TYPE, `x-a: ${'a'.repeat(65_536)}`])),
    expect: { kind: 'early', status: 502 },
  },
  {
    fault: 'a hundred thousand headers',
    script: answer(whole(200, ANSWER, [...TYPE, ...headers(100_000, 'a')])),
    expect: { kind: 'early', status: 502 },
  },
  {
    fault: 'a header that never ends',
    isHttp1Only: true,
    script: answer({ send: 'HTTP/1.1 200 OK\r\nx-a: ' }, ...times(100, { send: Buffer.alloc(MEBIBYTE, 0x61) })),
    expect: { kind: 'early', status: 502 },
  },
  {
    fault: 'a chunk extension of 100 MB',
    isHttp1Only: true,
    script: answer(HEAD, { send: '5;x=' }, ...times(100, { send: Buffer.alloc(MEBIBYTE, 0x61) }), { stall: true }),
    timeoutMs: 500,
    expect: { kind: 'early', status: 504 },
  },
]

const ROUNDS = 3
/** Above what the process held before: reads of 64 KiB that are garbage already and wait for their collection. */
const MAX_PEAK_BYTES = 256 * MEBIBYTE
const MAX_KEPT_BYTES = 4 * MEBIBYTE

for (const isHttp2 of [false, true]) {
  test(`what is too large is refused or passed on within bounds over ${isHttp2 ? 'HTTP/2' : 'HTTP/1.1'}, and memory stays flat`, {
    timeout: 240_000,
  }, async (t) => {
    const rows = ROWS.filter(({ isHttp1Only = false }) => !isHttp2 || !isHttp1Only)
    const rig = await FaultRig.start(t, rows, { env: INSPECTED, isHttp2 })
    const { gateway } = rig
    const before = await memoryOf(gateway)
    let peakBytes = before.rssBytes
    const timer = setInterval(() => {
      peakBytes = Math.max(peakBytes, rssBytes(gateway.pid))
    }, 10)
    t.teardown(() => clearInterval(timer))
    for (let round = 0; round < ROUNDS; round++) {
      for (const [at, row] of rows.entries()) await rig.holdAgainst(t, row, at, round === 0 ? row.ways : ['sse'])
    }
    clearInterval(timer)
    const after = await memoryOf(gateway)
    t.comment(`in use ${before.usedBytes} then ${after.usedBytes}; resident ${before.rssBytes}, at most ${peakBytes}`)
    t.ok(after.usedBytes - before.usedBytes < MAX_KEPT_BYTES)
    t.ok(peakBytes - before.rssBytes < MAX_PEAK_BYTES)
    t.equal(await gateway.stop(), 0)
  })
}
