// Dialect half, same protocol on both sides: watches frames pass and says what each is. Parses only the few frames that hold
// usage or an error; content is found by its member's name in the bytes.
import { type ErrorData } from '../../model/error.js'
import { type Usage } from '../../model/usage.js'
import {
  FRAME_CONTENT,
  FRAME_END,
  FRAME_ERROR,
  FRAME_OTHER,
  FRAME_STRIP,
  type ObserverOptions,
  type StreamObserver,
} from '../protocol.js'
import { errorIn, isDoneMarker, parseChunk } from './chunk.js'
import { decodeStreamError } from './error.js'
import { skipSpace, stringEnd, valueAt } from './scan.js'
import { usageOfChunk } from './usage.js'

const USAGE_KEY = Buffer.from('"usage"')
const ERROR_KEY = Buffer.from('"error"')
const CHOICES_KEY = Buffer.from('"choices"')
const FINISH_KEY = Buffer.from('"finish_reason"')
const CONTENT_KEY = Buffer.from('"content"')
const ARGUMENTS_KEY = Buffer.from('"arguments"')
const TOOL_CALLS_KEY = Buffer.from('"tool_calls"')
/** In the order of how often they come. */
const OTHER_TEXT_KEYS = ['"reasoning_content"', '"reasoning"', '"refusal"'].map((key) => Buffer.from(key))
const FUNCTION_CALL_KEY = Buffer.from('"function_call"')

const QUOTE = 0x22
const BRACE_OPEN = 0x7b
const BRACKET_OPEN = 0x5b
const BRACKET_CLOSE = 0x5d

export class ChatStreamObserver implements StreamObserver {
  readonly #options: ObserverOptions
  usage: Usage | null = null
  error: ErrorData | null = null
  contentBytes = 0
  #isDone = false
  #isFinished = false

  constructor(options: ObserverOptions) {
    this.#options = options
  }

  observe(data: Buffer): number {
    // Nothing follows the end, and after an error least of all an end marker.
    if (this.#isDone || this.error !== null) return FRAME_STRIP
    if (isDoneMarker(data)) {
      this.#isDone = true
      return FRAME_END
    }
    if (this.#isNotable(data)) {
      const bits = this.#inspect(data)
      if (bits !== FRAME_OTHER) return bits
    }
    if (!this.#options.target.quirks.doneMarker && hasText(data, FINISH_KEY)) this.#isFinished = true
    if (this.#hasContent(data)) return FRAME_CONTENT
    // Older vLLM: {"object":"error","message":...}.
    return data.indexOf(CHOICES_KEY) < 0 ? this.#inspect(data) : FRAME_OTHER
  }

  isComplete(): boolean {
    if (this.error !== null) return false
    return this.#isDone || (this.#isFinished && !this.#options.target.quirks.doneMarker)
  }

  /** True if a usage object or an error may be in it; `null` is neither. */
  #isNotable(data: Buffer): boolean {
    const usage = valueAt(data, USAGE_KEY, 0)
    if (usage >= 0 && (data[usage] === BRACE_OPEN || valueAt(data, USAGE_KEY, usage) >= 0)) return true
    const error = valueAt(data, ERROR_KEY, 0)
    return error >= 0 && (data[error] === BRACE_OPEN || data[error] === QUOTE)
  }

  #inspect(data: Buffer): number {
    const chunk = parseChunk(data)
    if (chunk === null) return FRAME_OTHER
    const error = errorIn(chunk)
    if (error !== null) {
      this.error = decodeStreamError(error)
      return FRAME_ERROR
    }
    const usage = usageOfChunk(chunk)
    if (usage === null) return FRAME_OTHER
    this.usage = usage
    const isUsageOnly = Array.isArray(chunk.choices) && chunk.choices.length === 0
    return isUsageOnly && this.#options.stripUsage ? FRAME_STRIP : FRAME_OTHER
  }

  #hasContent(data: Buffer): boolean {
    let bytes = textBytes(data, CONTENT_KEY)
    for (let i = 0; bytes === 0 && i < OTHER_TEXT_KEYS.length; i++)
      bytes = textBytes(data, OTHER_TEXT_KEYS[i] as Buffer)
    if (bytes === 0 && hasCalls(data)) bytes = Math.max(1, textBytes(data, ARGUMENTS_KEY))
    this.contentBytes += bytes
    return bytes > 0
  }
}

/** Bytes in the values of `key`, strings or lists of parts; 0 for null, empty and absent. */
function textBytes(data: Buffer, key: Buffer): number {
  let bytes = 0
  for (let at = valueAt(data, key, 0); at >= 0; at = valueAt(data, key, at)) {
    if (data[at] === QUOTE) bytes += stringEnd(data, at) - at - 1
    else if (data[at] === BRACKET_OPEN && data[skipSpace(data, at + 1)] !== BRACKET_CLOSE) bytes += 1
  }
  return bytes
}

function hasText(data: Buffer, key: Buffer): boolean {
  const at = valueAt(data, key, 0)
  return at >= 0 && data[at] === QUOTE && data[at + 1] !== QUOTE
}

function hasCalls(data: Buffer): boolean {
  const calls = valueAt(data, TOOL_CALLS_KEY, 0)
  if (calls >= 0 && data[calls] === BRACKET_OPEN && data[skipSpace(data, calls + 1)] !== BRACKET_CLOSE) return true
  const call = valueAt(data, FUNCTION_CALL_KEY, 0)
  return call >= 0 && data[call] === BRACE_OPEN
}
