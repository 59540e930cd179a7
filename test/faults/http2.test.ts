// What only a server of HTTP/2 can do wrong: streams that it resets, connections that it gives up in any phase, frames that the RFC
// forbids, floods of those that it allows. The faults of upstream.test.ts are played over HTTP/2 there.
import { constants } from 'node:http2'
import { type Test, test } from 'tap'
import { DONE, delta, FaultRig, FINISH, type Row } from '../helpers/fault-rig.js'
import { FORBIDDEN } from '../helpers/http2-fault-rows.js'
import {
  CONTINUATION,
  DATA,
  END_STREAM,
  frameOf,
  GOAWAY,
  HEADERS,
  headerBlock,
  headersOf,
  PING,
  RST_STREAM,
  settingsOf,
  words,
} from '../helpers/http2-frames.js'
import { INSPECTED, memoryOf } from '../helpers/inspector.js'
import { answer, CANARY, chunk, LAST_CHUNK, type Step, streamHead } from '../helpers/scripted-upstream.js'

const HEAD = streamHead()
const HELLO = delta(CANARY)
const STALL: Step = { stall: true }
const REST = [FINISH, DONE, LAST_CHUNK]
const UNKNOWN_CODE = 4711
const UNKNOWN_FRAME = 0xbb
const PRIORITY = 2
const PADDED = 8
const { NGHTTP2_NO_ERROR: NO_ERROR, NGHTTP2_REFUSED_STREAM: REFUSED, NGHTTP2_ENHANCE_YOUR_CALM: CALM } = constants
/** All of RFC 9113 7, and one that it does not have. */
const CODES = [...Array.from({ length: 14 }, (_, i) => i), UNKNOWN_CODE]

const reset = (code: number): Step => ({ frames: (id) => frameOf(RST_STREAM, 0, id, words(code)) })
/** `isSeen`: the request that asked is the last one that the server has looked at. */
const goaway = (code: number, isSeen: boolean): Step => ({
  frames: (id) => frameOf(GOAWAY, 0, 0, words(isSeen ? id : 0, code)),
})
const sent = (name: string, frames: (stream: number) => Uint8Array, ...after: Step[]): Row => ({
  fault: name,
  script: answer(HEAD, HELLO, { frames }, ...after),
  expect: { kind: 'complete' },
})
const many = (count: number, frame: Uint8Array) => Buffer.concat(Array.from({ length: count }, () => frame))

const RESETS: readonly Row[] = CODES.flatMap((code): Row[] => [
  { fault: `RST_STREAM ${code} before the head`, script: answer(reset(code)), expect: { kind: 'early', status: 502 } },
  {
    fault: `RST_STREAM ${code} after the head`,
    script: answer(HEAD, reset(code)),
    expect: { kind: 'early', status: 502 },
  },
  {
    fault: `RST_STREAM ${code} between events`,
    script: answer(HEAD, HELLO, reset(code)),
    expect: { kind: 'late', status: 502 },
  },
  {
    fault: `RST_STREAM ${code} in an event`,
    script: answer(HEAD, HELLO, chunk('data: {"choi'), reset(code)),
    expect: { kind: 'late', status: 502 },
  },
  {
    fault: `RST_STREAM ${code} before the end marker`,
    script: answer(HEAD, HELLO, FINISH, reset(code)),
    expect: { kind: 'late', status: 502 },
  },
  {
    fault: `RST_STREAM ${code} after the end marker`,
    script: answer(HEAD, HELLO, FINISH, DONE, reset(code)),
    expect: { kind: 'complete' },
  },
])

const GIVEN_UP: readonly Row[] = [
  {
    fault: 'GOAWAY before the head, and an answer',
    script: answer(goaway(NO_ERROR, true), HEAD, HELLO, ...REST),
    expect: { kind: 'complete' },
  },
  {
    fault: 'GOAWAY between events, and the rest',
    script: answer(HEAD, HELLO, goaway(NO_ERROR, true), ...REST),
    expect: { kind: 'complete' },
  },
  {
    fault: 'GOAWAY of an error before the head',
    script: answer(goaway(CALM, true)),
    expect: { kind: 'early', status: 502 },
  },
  {
    fault: 'GOAWAY of an error after the head',
    script: answer(HEAD, goaway(CALM, true)),
    expect: { kind: 'early', status: 502 },
  },
  {
    fault: 'GOAWAY of an error between events',
    script: answer(HEAD, HELLO, goaway(CALM, true)),
    expect: { kind: 'late', status: 502 },
  },
  {
    fault: 'GOAWAY of an error after the end marker',
    script: answer(HEAD, HELLO, FINISH, DONE, goaway(CALM, true)),
    expect: { kind: 'complete' },
  },
  {
    fault: 'GOAWAY that leaves the request out',
    script: answer(goaway(NO_ERROR, false), STALL),
    expect: { kind: 'early', status: 502 },
  },
  {
    fault: 'GOAWAY that leaves a begun answer out',
    script: answer(HEAD, HELLO, goaway(NO_ERROR, false), STALL),
    expect: { kind: 'late', status: 502 },
  },
  {
    fault: 'GOAWAY of an error that leaves the request out',
    script: answer(goaway(CALM, false), STALL),
    expect: { kind: 'early', status: 502 },
  },
  {
    fault: 'GOAWAY and FIN between events',
    script: answer(HEAD, HELLO, goaway(NO_ERROR, true), { end: 'fin' }),
    expect: { kind: 'late', status: 502 },
  },
  {
    fault: 'GOAWAY and RST between events',
    script: answer(HEAD, HELLO, goaway(NO_ERROR, true), { end: 'rst' }),
    expect: { kind: 'late', status: 502 },
  },
  {
    fault: 'refused after an answer has begun',
    script: answer(HEAD, HELLO, reset(REFUSED)),
    expect: { kind: 'late', status: 502 },
  },
]

const BAD_FRAMES: readonly Row[] = FORBIDDEN.flatMap(({ fault, steps }): Row[] => [
  { fault, script: answer(...steps), expect: { kind: 'early', status: 502 } },
  {
    fault: `${fault}, after content`,
    script: answer(HEAD, HELLO, ...steps.filter((step) => step !== steps[0] || steps.length === 1)),
    expect: { kind: 'late', status: 502 },
  },
])

const STATUS = headerBlock([[':status', '200']])
/** A value of 3.9 KB that is kept, and 15,000 times the same by its number: 19 KB for 60 MB (RFC 7541 6.1, 6.2.1). */
const BOMB = Buffer.concat([
  STATUS,
  Buffer.from([0x40, 1, 0x78, 127, 0xbd, 0x1d]),
  Buffer.alloc(127 + 0x3d + 0x1d * 128, 0x61),
  Buffer.alloc(15_000, 0xbe),
])
const FLOODS: readonly Row[] = [
  sent('a frame of an unknown type', (id) => frameOf(UNKNOWN_FRAME, 0xff, id, Buffer.alloc(100)), ...REST),
  sent('PRIORITY', (id) => frameOf(PRIORITY, 0, id, Buffer.from([0, 0, 0, 0, 1])), ...REST),
  sent('DATA that is all padding', (id) => many(100, frameOf(DATA, PADDED, id, Buffer.alloc(256, 255))), ...REST),
  sent('a hundred empty DATA', (id) => many(100, frameOf(DATA, 0, id)), ...REST),
  sent('a hundred PINGs', () => many(100, frameOf(PING, 0, 0, Buffer.alloc(8))), ...REST),
  sent('settings once more', () => settingsOf([[4, 100_000]]), ...REST),
  {
    fault: 'trailers',
    script: answer(HEAD, HELLO, FINISH, DONE, {
      frames: (id) => headersOf(id, headerBlock([['x-cost', '1']]), END_STREAM),
    }),
    expect: { kind: 'complete' },
  },
  {
    fault: 'ten thousand empty DATA, which Node takes for an attack',
    script: answer(HEAD, HELLO, { frames: (id) => many(10_000, frameOf(DATA, 0, id)) }, STALL),
    expect: { kind: 'late', status: 502 },
  },
  {
    fault: 'a hundred 103 before the head',
    script: answer(
      {
        frames: (id) =>
          many(
            100,
            headersOf(
              id,
              headerBlock([
                [':status', '103'],
                ['link', '</x>'],
              ]),
            ),
          ),
      },
      HEAD,
      HELLO,
      ...REST,
    ),
    expect: { kind: 'complete' },
  },
  {
    fault: 'a hundred thousand PINGs',
    script: answer(HEAD, HELLO, { frames: () => many(100_000, frameOf(PING, 0, 0, Buffer.alloc(8))) }, STALL),
    timeoutMs: 1000,
    expect: { kind: 'late', status: 502 },
  },
  {
    fault: 'a head that never ends',
    script: answer(
      {
        frames: (id) =>
          Buffer.concat([
            frameOf(HEADERS, 0, id, STATUS),
            many(200, frameOf(CONTINUATION, 0, id, headerBlock([['x', 'a'.repeat(16_000)]]))),
          ]),
      },
      STALL,
    ),
    expect: { kind: 'early', status: 502 },
  },
  {
    fault: 'a head of 19 KB that becomes 60 MB',
    script: answer({ frames: (id) => headersOf(id, BOMB) }, STALL),
    expect: { kind: 'early', status: 502 },
  },
]

const MAX_USED_BYTES = 120 * 1024 * 1024

async function judgeAll(t: Test, rows: readonly Row[]): Promise<void> {
  const rig = await FaultRig.start(t, rows, { env: INSPECTED, isHttp2: true })
  for (const [at, row] of rows.entries()) await rig.holdAgainst(t, row, at)
  const { usedBytes } = await memoryOf(rig.gateway)
  t.ok(usedBytes < MAX_USED_BYTES, `${usedBytes} bytes are in use`)
  t.equal(await rig.gateway.stop(), 0)
}

test(
  'a stream that is reset, with any code and in any phase, gives each client a clear end',
  { timeout: 240_000 },
  (t) => judgeAll(t, RESETS),
)
test('a connection that is given up does so in any phase', { timeout: 240_000 }, (t) => judgeAll(t, GIVEN_UP))
test('frames that are forbidden end as a malformed answer', { timeout: 240_000 }, (t) => judgeAll(t, BAD_FRAMES))
test('frames that are allowed are taken, within bounds', { timeout: 240_000 }, (t) => judgeAll(t, FLOODS))
