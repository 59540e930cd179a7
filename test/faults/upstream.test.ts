// What an upstream can do wrong, as rows of data, each against four kinds of client. Before any content it is a status (or
// the fallback answers), after it an error in-band, and never the end marker after an error; the rig asks the rest.
import { gzipSync } from 'node:zlib'
import { test } from 'tap'
import { DONE, delta, type Expected, FaultRig, FINISH, type Row, SOUND, UPSTREAM_KEY } from '../helpers/fault-rig.js'
import { INSPECTED, memoryOf } from '../helpers/inspector.js'
import { answer, CANARY, chunk, LAST_CHUNK, type Step, streamHead, whole } from '../helpers/scripted-upstream.js'

const HEAD = streamHead()
const FIN: Step = { end: 'fin' }
const RST: Step = { end: 'rst' }
const STALL: Step = { stall: true }
const OK_LINE: Step = { send: 'HTTP/1.1 200 OK\r\n' }
const HELLO = delta(CANARY)
const COMPLETE: Expected = { kind: 'complete' }
const early = (status: number): Expected => ({ kind: 'early', status })
/** An answer beyond a limit of ours would be so from the next provider, too. */
const final = (status: number): Expected => ({ kind: 'final', status })
const late = (status: number): Expected => ({ kind: 'late', status })
/** A stream as HTTP/1.1 with its end by FIN. */
const raw = (body: string | Buffer): Step[] => [
  { send: 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n' },
  { send: body },
  FIN,
]
const frame = (content: string) => `data: {"choices":[{"index":0,"delta":{"content":"${content}"}}]}`
const END = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
const ANSWER = JSON.stringify({
  choices: [{ index: 0, message: { role: 'assistant', content: CANARY }, finish_reason: 'stop' }],
})
const JSON_TYPE = ['content-type: application/json']

/** The same fault by FIN and by RST. */
function cut(fault: string, steps: readonly Step[], expect: Expected): Row[] {
  return [FIN, RST].map((end, i) => ({
    fault: `${fault}, ${i === 0 ? 'FIN' : 'RST'}`,
    script: [...steps, end],
    expect,
  }))
}

const REACHING: readonly Row[] = [
  { fault: 'F1 connection refused', script: [], baseUrl: () => 'http://127.0.0.1:9/v1', expect: early(502) },
  { fault: 'F1 RST in the TLS handshake', script: [RST], baseUrl: tls, expect: early(502) },
  { fault: 'F1 no TLS at all', script: [{ send: 'HTTP/1.1 400 Bad\r\n\r\n' }, FIN], baseUrl: tls, expect: early(502) },
  {
    fault: 'F1 silence in the TLS handshake',
    script: [STALL],
    baseUrl: tls,
    timeoutMs: 250,
    ways: ['json', 'fallback'],
    expect: early(504),
  },
]

function tls(port: number): string {
  return `https://127.0.0.1:${port}/v1`
}

const DYING: readonly Row[] = [
  ...cut('F2 after accept', [], early(502)),
  ...cut('F2 after the request', answer(), early(502)),
  ...cut('F2 after the status line', answer(OK_LINE), early(502)),
  ...cut('F2 in a header', answer(OK_LINE, { send: 'content-ty' }), early(502)),
  ...cut('F2 after the headers', answer(HEAD), early(502)),
  ...cut('F2 in the first event', answer(HEAD, chunk('data: {"choices":[{"ind')), early(502)),
  ...cut('F2 between events', answer(HEAD, HELLO), late(502)),
  ...cut('F2 in a later event', answer(HEAD, HELLO, chunk('data: {"choi')), late(502)),
  ...cut('F2 in a chunk size', answer(HEAD, HELLO, { send: '1' }), late(502)),
  ...cut('F2 before the end marker', answer(HEAD, HELLO, FINISH), late(502)),
  ...cut('F2 after the end marker', answer(HEAD, HELLO, FINISH, DONE), COMPLETE),
  ...cut('F2 in a whole answer', answer(OK_LINE, { send: `content-length: 500\r\n\r\n${ANSWER}` }), early(502)),
]

const ROLE = chunk('data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n')
const SLOW_HEAD = `HTTP/1.1 200 OK\r\nx-long: ${'a'.repeat(200)}\r\n\r\n`
const STALLING: readonly Row[] = [
  { fault: 'F3 silence after accept', script: [STALL], expect: early(504) },
  { fault: 'F3 reads no request', script: [{ stop: 'reading' }, STALL], expect: early(504), ways: ['sse'] },
  { fault: 'F3 silence after the headers', script: answer(HEAD, STALL), expect: early(504) },
  { fault: 'F3 silence between events', script: answer(HEAD, HELLO, STALL), expect: late(504), timeoutMs: 1000 },
  {
    fault: 'F4 comments only',
    script: answer(HEAD, { drip: chunkText(': ping\n\n').repeat(80), everyMs: 30, size: 13 }, STALL),
    expect: early(504),
    ways: ['sse', 'websocket', 'fallback'],
  },
  {
    fault: 'F4 roles only',
    script: answer(HEAD, { drip: textOf(ROLE).repeat(80), everyMs: 30, size: textOf(ROLE).length }, STALL),
    expect: early(504),
    ways: ['sse', 'websocket', 'fallback'],
  },
  {
    fault: 'F4 a header byte at a time',
    script: answer({ drip: SLOW_HEAD, everyMs: 30 }),
    expect: early(504),
    ways: ['sse'],
  },
].map((row): Row => ({ timeoutMs: 250, ...(row as Row) }))
const DRIPS: Row = {
  fault: 'F4 a body in small drips',
  script: answer(HEAD, { drip: textOf(HELLO, FINISH, DONE, LAST_CHUNK), everyMs: 5, size: 40 }),
  expect: COMPLETE,
}

function chunkText(text: string): string {
  return textOf(chunk(text))
}

/** What these steps send. */
function textOf(...steps: readonly Step[]): string {
  return steps.map((step) => ('send' in step ? Buffer.from(step.send).toString('latin1') : '')).join('')
}

const SPELLING: readonly Row[] = [
  { fault: 'F5 no last blank line', script: answer(...raw(`${frame(CANARY)}\n\n${END.trimEnd()}`)), expect: COMPLETE },
  {
    fault: 'F5 data without a colon',
    script: answer(...raw(`data\n\n${frame(CANARY)}\n\ndata\n\n${END}`)),
    expect: COMPLETE,
  },
  {
    fault: 'F5 CR only',
    script: answer(...raw(`${frame(CANARY)}\r\r${END.replaceAll('\n', '\r')}`)),
    expect: COMPLETE,
  },
  {
    fault: 'F5 line ends mixed',
    script: answer(...raw(`${frame(CANARY)}\r\n\n${END.replace('\n\n', '\r\r\n')}`)),
    expect: COMPLETE,
  },
  { fault: 'F5 a BOM', script: answer(...raw(`\xef\xbb\xbf${frame(CANARY)}\n\n${END}`)), expect: COMPLETE },
  {
    fault: 'F5 comments',
    script: answer(...raw(`: a\n\n:\n${frame(CANARY)}\n: b\n\n: c\n\n${END}`)),
    expect: COMPLETE,
  },
  {
    fault: 'F5 data in several lines',
    script: answer(...raw(`${frame(CANARY).replace('"delta":', '"delta":\ndata: ')}\n\n${END}`)),
    expect: COMPLETE,
  },
  {
    fault: 'F5 unknown events',
    script: answer(...raw(`event: odd\nid: 7\nretry: 1\n${frame(CANARY)}\n\n${END}`)),
    expect: COMPLETE,
  },
  { fault: 'F5 empty data', script: answer(...raw(`data:\n\n${frame(CANARY)}\n\ndata: \n\n${END}`)), expect: COMPLETE },
  {
    fault: 'F5 two end markers',
    script: answer(...raw(`${frame(CANARY)}\n\n${END}data: [DONE]\n\n`)),
    expect: COMPLETE,
  },
  {
    fault: 'F5 data after the end marker',
    script: answer(...raw(`${frame(CANARY)}\n\n${END}${frame('more')}\n\n`)),
    expect: COMPLETE,
  },
  {
    fault: 'F5 200 with HTML',
    script: answer(whole(200, '<html>no</html>', ['content-type: text/html'])),
    expect: early(502),
  },
  { fault: 'F5 200 with another JSON', script: answer(whole(200, '[1,2]', JSON_TYPE)), expect: early(502) },
  { fault: 'F5 200 with half a JSON', script: answer(whole(200, '{"choices":', JSON_TYPE)), expect: early(502) },
  { fault: 'F5 200 and empty', script: answer(whole(200, '', JSON_TYPE)), expect: early(502) },
  {
    fault: 'F5 an error as an event',
    script: answer(...raw('data: {"error":{"message":"no","type":"x"}}\n\n')),
    expect: early(500),
  },
  // Over HTTP/2 Node tells nobody of it; see session.test.ts.
  { fault: 'F5 not HTTP', script: answer({ send: 'SSH-2.0-x\r\n' }, FIN), isHttp1Only: true, expect: early(502) },
]

const BIG = Buffer.alloc(256 * 1024, 0x61)
const SIZES: readonly Row[] = [
  {
    fault: 'F6 an event that never ends',
    script: answer(HEAD, chunk('data: "'), ...Array.from({ length: 100 }, () => chunk(BIG)), FIN),
    expect: early(502),
  },
  {
    fault: 'F6 a head of 64 KB',
    script: answer(whole(200, ANSWER, [`x-a: ${'a'.repeat(65_536)}`])),
    expect: early(502),
  },
  {
    fault: 'F6 10,000 headers',
    script: answer(
      whole(
        200,
        ANSWER,
        Array.from({ length: 10_000 }, (_, i) => `x-${i}: a`),
      ),
    ),
    expect: early(502),
  },
  {
    fault: 'F6 a hundred thousand empty events',
    script: answer(...raw(`${'data:\n\n'.repeat(100_000)}${frame(CANARY)}\n\n${END}`)),
    expect: COMPLETE,
  },
  {
    fault: 'F8 a gzip bomb',
    script: answer(whole(200, gzipSync(Buffer.alloc(64 * 1024 * 1024)), [...JSON_TYPE, 'content-encoding: gzip'])),
    expect: final(502),
  },
  {
    fault: 'F8 an unknown coding',
    script: answer(whole(200, ANSWER, [...JSON_TYPE, 'content-encoding: odd'])),
    expect: early(502),
  },
  {
    fault: 'F8 gzip that is none',
    script: answer(whole(200, ANSWER, [...JSON_TYPE, 'content-encoding: gzip'])),
    expect: early(502),
  },
]

/** UTF-8 of the sea and an e, cut inside both. */
const SEA = Buffer.from(frame(`${CANARY} é🌊`))
const SEA_BYTES = Array.from(Buffer.from(frame(' é🌊')), (byte) => chunk(Buffer.from([byte])))
const TEXT: readonly Row[] = [
  {
    fault: 'F7 UTF-8 cut at every byte',
    script: answer(HEAD, HELLO, ...SEA_BYTES, chunk('\n\n'), FINISH, DONE, LAST_CHUNK),
    expect: { kind: 'complete', text: ' é🌊' },
  },
  {
    fault: 'F7 UTF-8 cut in two',
    script: answer(HEAD, chunk(SEA.subarray(0, -3)), chunk(SEA.subarray(-3)), chunk('\n\n'), FINISH, DONE, LAST_CHUNK),
    expect: { kind: 'complete', text: ' é🌊' },
  },
  {
    fault: 'F7 halves of a surrogate pair in two events',
    script: answer(HEAD, HELLO, delta(' \\ud83c'), delta('\\udf0a'), FINISH, DONE, LAST_CHUNK),
    expect: { kind: 'complete', text: ' 🌊' },
  },
  {
    fault: 'F7 invalid UTF-8',
    script: answer(...raw(Buffer.from(`${frame(`${CANARY}\xff`)}\n\n${END}`, 'latin1'))),
    expect: { kind: 'complete', text: '\ufffd' },
  },
]

const ERROR_BODY = JSON.stringify({ error: { message: `no, ${CANARY}`, type: 'x', code: 'y' } })
const status = (code: number, ...headers: string[]) => answer(whole(code, ERROR_BODY, [...JSON_TYPE, ...headers]))
const refusal = (code: number, expect: Expected): Row => ({ fault: `F9 ${code}`, script: status(code), expect })
const STATUSES: readonly Row[] = [
  {
    fault: 'F9 103 before 200',
    script: answer({ send: 'HTTP/1.1 103 Early Hints\r\n\r\n' }, ...SOUND.slice(1)),
    expect: COMPLETE,
  },
  {
    fault: 'F9 100 before 200',
    script: answer({ send: 'HTTP/1.1 100 Continue\r\n\r\n' }, ...SOUND.slice(1)),
    expect: COMPLETE,
  },
  { fault: 'F9 204', script: answer({ send: 'HTTP/1.1 204 None\r\n\r\n' }), expect: early(502) },
  { fault: 'F9 302', script: status(302, 'location: http://127.0.0.1:9/'), expect: early(502) },
  refusal(307, early(502)),
  refusal(500, early(500)),
  refusal(502, early(502)),
  refusal(599, early(599)),
  refusal(999, early(502)),
  { fault: 'F9 429 with a garbled Retry-After', script: status(429, 'retry-after: soon'), expect: early(429) },
  { fault: 'F9 503 with a Retry-After', script: status(503, 'retry-after: 2'), expect: early(503) },
  {
    fault: 'F9 a length too long',
    script: answer({ send: `HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n${ANSWER}` }, FIN),
    expect: early(502),
  },
  {
    fault: 'F9 a length too short',
    script: answer({ send: `HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n${ANSWER}` }),
    expect: early(502),
  },
  {
    fault: 'F9 length and chunked',
    isHttp1Only: true,
    script: answer({
      send: `HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n`,
    }),
    expect: early(502),
  },
  {
    fault: 'F9 401 that tells the key',
    script: answer(whole(401, `{"error":{"message":"bad key ${UPSTREAM_KEY}","type":"x"}}`, JSON_TYPE)),
    expect: early(502),
  },
  {
    fault: 'F10 whole, and closed at once',
    script: answer(whole(200, ANSWER, [...JSON_TYPE, 'connection: close']), FIN),
    expect: COMPLETE,
  },
]

const MAX_USED_BYTES = 120 * 1024 * 1024

for (const isHttp2 of [false, true]) {
  const version = isHttp2 ? 'HTTP/2' : 'HTTP/1.1'
  test(`each client gets a clear end for each fault of an upstream over ${version}, and everything is released`, {
    timeout: 240_000,
  }, async (t) => {
    const all = [...REACHING, ...DYING, ...STALLING, DRIPS, ...SPELLING, ...SIZES, ...TEXT, ...STATUSES]
    const rows = all.filter(({ isHttp1Only = false }) => !isHttp2 || !isHttp1Only)
    const rig = await FaultRig.start(t, rows, { env: INSPECTED, isHttp2 })
    for (const [at, row] of rows.entries()) await rig.holdAgainst(t, row, at)
    const { usedBytes } = await memoryOf(rig.gateway)
    t.ok(usedBytes < MAX_USED_BYTES, `${usedBytes} bytes are in use`)
    t.equal(await rig.gateway.stop(), 0)
  })
}
