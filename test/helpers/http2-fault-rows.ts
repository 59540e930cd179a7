// What a server of HTTP/2 may do wrong in frames: what RFC 9113 forbids it, streams that it resets, connections that it gives up.
import {
  CONTINUATION,
  DATA,
  END_HEADERS,
  frameOf,
  HEADERS,
  headerBlock,
  headersOf,
  PUSH_PROMISE,
  settingsOf,
  WINDOW_UPDATE,
  words,
} from './http2-frames.js'
import { type Step, streamHead } from './scripted-upstream.js'

const HEAD = streamHead()
const STATUS = headerBlock([[':status', '200']])
/** SETTINGS_MAX_FRAME_SIZE, at least 16,384. */
const MAX_FRAME_SIZE = 5

/** `code`: how RFC 9113 7 names it. */
export type Forbidden = { readonly fault: string; readonly steps: readonly Step[]; readonly code: string }

function forbidden(fault: string, code: string, frames: (stream: number) => Uint8Array, ...before: Step[]): Forbidden {
  return { fault, steps: [...before, { frames }], code }
}

/** Node tells at once of these. */
export const FORBIDDEN: readonly Forbidden[] = [
  forbidden('a head without a status', 'PROTOCOL_ERROR', (id) => headersOf(id, headerBlock([['x', 'y']]))),
  forbidden('a name in capitals', 'PROTOCOL_ERROR', (id) => headersOf(id, blockWith('X-A', 'b'))),
  forbidden('a header of the connection', 'PROTOCOL_ERROR', (id) => headersOf(id, blockWith('connection', 'close'))),
  forbidden(
    'a push',
    'PROTOCOL_ERROR',
    (id) => frameOf(PUSH_PROMISE, END_HEADERS, id, Buffer.concat([words(2), STATUS])),
    HEAD,
  ),
  forbidden(
    'a window of more than 2^31 bytes',
    'FLOW_CONTROL_ERROR',
    () => frameOf(WINDOW_UPDATE, 0, 0, words(2 ** 31 - 1)),
    HEAD,
  ),
  forbidden('a setting that is not allowed', 'PROTOCOL_ERROR', () => settingsOf([[MAX_FRAME_SIZE, 1]]), HEAD),
]

/** Of these Node's HTTP/2 tells nobody: it says GOAWAY, and reads nothing more (20.20). */
export const FORBIDDEN_IN_SILENCE: readonly Forbidden[] = [
  forbidden('DATA before a head', 'PROTOCOL_ERROR', (id) => frameOf(DATA, 0, id, Buffer.from('x'))),
  forbidden('headers that cannot be decoded', 'COMPRESSION_ERROR', (id) => headersOf(id, Buffer.alloc(4, 0xff))),
  forbidden('DATA on no stream', 'PROTOCOL_ERROR', () => frameOf(DATA, 0, 0, Buffer.from('x')), HEAD),
  forbidden(
    'DATA on a stream that was never open',
    'PROTOCOL_ERROR',
    (id) => frameOf(DATA, 0, id + 2, Buffer.from('x')),
    HEAD,
  ),
  forbidden('a frame that is too large', 'FRAME_SIZE_ERROR', (id) => frameOf(DATA, 0, id, Buffer.alloc(20_000)), HEAD),
  forbidden(
    'a CONTINUATION of nothing',
    'PROTOCOL_ERROR',
    (id) => frameOf(CONTINUATION, END_HEADERS, id, STATUS),
    HEAD,
  ),
  forbidden('a head that another frame breaks off', 'PROTOCOL_ERROR', (id) =>
    Buffer.concat([frameOf(HEADERS, 0, id, STATUS), frameOf(DATA, 0, id)]),
  ),
]

function blockWith(name: string, value: string): Buffer {
  return Buffer.concat([STATUS, headerBlock([[name, value]])])
}
