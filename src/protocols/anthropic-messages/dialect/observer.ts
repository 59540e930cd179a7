// Observes the vendor's frames as they pass: content, usage, end marker, errors. The many delta frames are recognized by their first
// bytes, without creating a string or an object; the few others, and frames of an unusual form, are parsed.
//
//   {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"..."}}
import { type ErrorData } from '../../../model/error.js'
import { type FinishReason } from '../../../model/event.js'
import { isJsonObject, type JsonObject } from '../../../model/json.js'
import { type UsageReport } from '../../../model/usage.js'
import { skipSpace, soundStringEnd } from '../../../wire/json-scan.js'
import { FRAME_CONTENT, FRAME_END, FRAME_ERROR, FRAME_OTHER, type StreamObserver } from '../../contract/protocol.js'
import { bitsWithoutObject, parsePayload } from '../../frame-payload.js'
import { decodeErrorObject } from '../error.js'
import { decodeStopReason } from '../stop-reason.js'
import { readCounts, readStartCounts, type TokenCounts, usageOf } from '../usage.js'
import { finishAfterJson, isJsonTool } from './json-tool.js'

const OPEN = Buffer.from('{')
const COLON = Buffer.from(':')
const COMMA = Buffer.from(',')
const QUOTE = 0x22
const TYPE = Buffer.from('"type"')
const INDEX = Buffer.from('"index"')
const DELTA = Buffer.from('"delta"')
const BLOCK_DELTA = Buffer.from('"content_block_delta"')
/** The deltas that are content, with the member that holds it; the most frequent first. */
const CONTENT_DELTAS = [
  [Buffer.from('"text_delta"'), Buffer.from('"text"')],
  [Buffer.from('"input_json_delta"'), Buffer.from('"partial_json"')],
  [Buffer.from('"thinking_delta"'), Buffer.from('"thinking"')],
] as const
const CLOSE = Buffer.from('}')
/** Bytes of a string that are not its text. */
const QUOTES = 2
const ZERO = 0x30
const MISS = -1

/** Watches one stream. */
export class MessagesObserver implements StreamObserver {
  #counts: TokenCounts | null = null
  #error: ErrorData | null = null
  #contentBytes = 0
  #isComplete = false
  #finish: FinishReason | null = null
  /** Whether a block was the answer as a tool's input, and whether one was a call of the client's tools. */
  #hasJson = false
  #hasCalls = false

  get usage(): UsageReport | null {
    return this.#counts === null ? null : usageOf(this.#counts)
  }

  get error(): ErrorData | null {
    return this.#error
  }

  get contentBytes(): number {
    return this.#contentBytes
  }

  get finish(): FinishReason | null {
    const finish = this.#finish
    return finish !== null && this.#hasJson ? finishAfterJson(finish, this.#hasCalls) : finish
  }

  isComplete(): boolean {
    return this.#isComplete
  }

  observe(data: Buffer): number {
    const type = skip(data, skip(data, skip(data, 0, OPEN), TYPE), COLON)
    const afterDelta = skip(data, type, BLOCK_DELTA)
    if (afterDelta !== MISS) return this.#observeDelta(data, afterDelta)
    return this.#observeParsed(data)
  }

  #observeDelta(data: Buffer, from: number): number {
    const index = skip(data, skip(data, skip(data, from, COMMA), INDEX), COLON)
    const delta = skip(data, skip(data, skipNumber(data, index), COMMA), DELTA)
    const type = skip(data, skip(data, skip(data, delta, COLON), OPEN), TYPE)
    const name = skip(data, type, COLON)
    for (const [kind, member] of CONTENT_DELTAS) {
      const value = skip(data, skip(data, skip(data, skip(data, name, kind), COMMA), member), COLON)
      if (value !== MISS) return this.#observeText(data, skipSpace(data, value))
    }
    return this.#observeParsed(data)
  }

  #observeText(data: Buffer, value: number): number {
    const bytes = data[value] === QUOTE ? soundStringEnd(data, value) - value - QUOTES : 0
    if (bytes <= 0 || !isTail(data, value + QUOTES + bytes)) return this.#observeParsed(data)
    this.#contentBytes += bytes
    return FRAME_CONTENT
  }

  /** The slow and always correct path. */
  #observeParsed(data: Buffer): number {
    const frame = parsePayload(data)
    if (frame === null) return bitsWithoutObject(data)
    switch (frame.type) {
      case 'message_start':
        if (isJsonObject(frame.message)) this.#counts = readStartCounts(frame.message.usage)
        return FRAME_OTHER
      case 'message_delta':
        this.#counts = readCounts(frame.usage, this.#counts)
        if (isJsonObject(frame.delta) && frame.delta.stop_reason != null) {
          this.#finish = decodeStopReason(frame.delta.stop_reason)
        }
        return FRAME_OTHER
      case 'content_block_start':
        return isJsonObject(frame.content_block) ? this.#observeBlock(frame.content_block) : FRAME_OTHER
      case 'content_block_delta':
        return isJsonObject(frame.delta) ? this.#countText(deltaText(frame.delta)) : FRAME_OTHER
      case 'message_stop':
        this.#isComplete = true
        return FRAME_END
      case 'error':
        this.#error = decodeErrorObject(isJsonObject(frame.error) ? frame.error : {})
        return FRAME_ERROR
      default:
        return FRAME_OTHER
    }
  }

  #observeBlock(block: JsonObject): number {
    if (isJsonTool(block)) this.#hasJson = true
    else if (block.type === 'tool_use') this.#hasCalls = true
    return this.#countText(headText(block))
  }

  #countText(text: unknown): number {
    if (typeof text !== 'string' || text === '') return FRAME_OTHER
    this.#contentBytes += text.length
    return FRAME_CONTENT
  }
}

/** The content that a block's opening already holds: a tool's name counts, as does encrypted thinking. */
function headText(block: JsonObject): unknown {
  switch (block.type) {
    case 'tool_use':
      return block.name
    case 'redacted_thinking':
      return block.data
    case 'thinking':
      return block.thinking
    case 'text':
      return block.text
    default:
      return ''
  }
}

function deltaText(delta: JsonObject): unknown {
  switch (delta.type) {
    case 'text_delta':
      return delta.text
    case 'input_json_delta':
      return delta.partial_json
    case 'thinking_delta':
      return delta.thinking
    default:
      return ''
  }
}

/** The position after `token` at `at`, white space skipped; MISS if it is not there, or if `at` is MISS. */
function skip(data: Buffer, at: number, token: Buffer): number {
  if (at === MISS) return MISS
  const start = skipSpace(data, at)
  for (let i = 0; i < token.length; i++) if (data[start + i] !== token[i]) return MISS
  return start + token.length
}

/** Skips an index in JSON form: digits without a leading zero. */
function skipNumber(data: Buffer, at: number): number {
  if (at === MISS) return MISS
  const start = skipSpace(data, at)
  let next = start
  while (isDigit(data[next])) next += 1
  return next === start || (data[start] === ZERO && next > start + 1) ? MISS : next
}

/** True if delta and frame close at `at`, and nothing follows. */
function isTail(data: Buffer, at: number): boolean {
  const end = skip(data, skip(data, at, CLOSE), CLOSE)
  return end !== MISS && skipSpace(data, end) === data.length
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39
}
