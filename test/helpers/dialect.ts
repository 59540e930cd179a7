// What tests of dialects share: fixtures, a target, the law of events, and an aggregate written apart from the one in src.
import { readdirSync, readFileSync } from 'node:fs'
import { GatewayError } from '../../src/errors.js'
import { type ErrorData } from '../../src/model/error.js'
import { type ResponseMeta, type StreamEvent } from '../../src/model/event.js'
import { type JsonObject } from '../../src/model/json.js'
import { type AssistantPart, type ChatRequest, NO_SAMPLING } from '../../src/model/request.js'
import { type ChatResponse } from '../../src/model/response.js'
import { type Quirks, type Target } from '../../src/model/target.js'
import { type Dialect } from '../../src/protocols/protocol.js'

const FIXTURES = new URL('../../../test/fixtures/', import.meta.url)

export const FALLBACK: ResponseMeta = { id: 'req_1', model: 'shown', createdSec: 1_700_000_000, usage: null }

export const QUIRKS: Quirks = {
  maxTokensField: 'max_tokens',
  streamOptions: true,
  developerRole: false,
  imageUrls: false,
  jsonSchema: 'json-schema',
  reasoningRequest: 'none',
  reasoningField: 'reasoning_content',
  refusedFields: [],
  doneMarker: false,
  maxTemperature: 2,
  defaultMaxTokens: 4096,
  azureApiVersion: null,
}

export function target(protocol: string, over: Partial<Target> = {}, quirks: Partial<Quirks> = {}): Target {
  return { provider: 'p', protocol, model: 'm', extraBody: {}, ...over, quirks: { ...QUIRKS, ...quirks } }
}

export function request(over: Partial<ChatRequest> = {}): ChatRequest {
  return {
    model: 'm',
    stream: true,
    includeUsage: false,
    system: [],
    messages: [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }],
    tools: [],
    toolChoice: null,
    parallelToolCalls: null,
    responseFormat: null,
    reasoning: null,
    sampling: NO_SAMPLING,
    user: null,
    extensions: {},
    ...over,
  }
}

/** Names of the fixtures in a folder, without their ending. */
export function cases(folder: string): string[] {
  return readdirSync(new URL(`${folder}/`, FIXTURES)).map((name) => name.slice(0, name.lastIndexOf('.')))
}

export function fixture(path: string): Buffer {
  return readFileSync(new URL(path, FIXTURES))
}

/** The data lines of an SSE fixture, or the lines of an NDJSON one: each fixture has one line a frame. */
export function payloads(path: string): Buffer[] {
  const lines = fixture(path)
    .toString('utf8')
    .split(/\r?\n/)
    .filter((line) => line !== '')
  return lines.map((line) => Buffer.from(path.endsWith('.sse') ? line.slice('data: '.length) : line))
}

export function decode(dialect: Dialect, frames: readonly Buffer[], at: Target): StreamEvent[] {
  const events: StreamEvent[] = []
  const decoder = dialect.createDecoder((event) => events.push(event), { fallback: FALLBACK, target: at })
  for (const frame of frames) decoder.push(frame)
  decoder.end()
  decoder.push(Buffer.from('{}'))
  decoder.end()
  return events
}

/** Null when the events keep the law of src/model/event.ts and come to an end, else what broke it. */
export function breach(events: readonly StreamEvent[]): string | null {
  let isStarted = false
  let isEnded = false
  let open: number | null = null
  let next = 0
  for (const event of events) {
    if (isEnded) return `${event.type} after the end`
    if (event.type === 'error') isEnded = true
    else if (event.type === 'start') {
      if (isStarted) return 'two starts'
      isStarted = true
    } else if (!isStarted) return `${event.type} before start`
    else if (event.type === 'block-start') {
      if (open !== null || event.index !== next) return `block ${event.index} starts out of turn`
      open = next++
    } else if (event.type === 'block-delta') {
      if (open !== event.index || event.delta === '') return `delta of ${event.index} out of turn`
    } else if (event.type === 'block-end') {
      if (open !== event.index) return `block ${event.index} ends out of turn`
      open = null
    } else {
      if (open !== null) return 'finish in a block'
      isEnded = true
    }
  }
  return isEnded ? null : 'no end'
}

/** Joins the events of a finished stream to a whole answer. */
export function aggregate(events: readonly StreamEvent[]): ChatResponse {
  const content: AssistantPart[] = []
  let meta = FALLBACK
  let words = ''
  let head: Extract<StreamEvent, { type: 'block-start' }>['block'] = { kind: 'text' }
  for (const event of events) {
    if (event.type === 'start') meta = event.meta
    if (event.type === 'block-start') {
      head = event.block
      words = ''
    }
    if (event.type === 'block-delta') words += event.delta
    if (event.type === 'block-end') {
      const { signature } = event
      if (head.kind === 'text') content.push({ type: 'text', text: words })
      else if (head.kind === 'reasoning') content.push({ type: 'reasoning', text: words, signature, redacted: null })
      else content.push({ type: 'tool-call', id: head.id, name: head.name, arguments: words, signature })
    }
    if (event.type !== 'finish') continue
    const { reason: finishReason, stopSequence, usage } = event
    return { meta, content, finishReason, stopSequence, usage }
  }
  throw new Error('the stream did not finish')
}

export function json(path: string): JsonObject {
  return JSON.parse(fixture(path).toString('utf8'))
}

export function dialectOf(protocol: { readonly dialect: Dialect | null }): Dialect {
  if (protocol.dialect === null) throw new Error('no dialect')
  return protocol.dialect
}

/** The error data of what `act` throws; anything but a GatewayError is thrown on. */
export function thrownBy(act: () => unknown): ErrorData {
  try {
    act()
  } catch (thrown) {
    if (thrown instanceof GatewayError) return thrown.data
    throw thrown
  }
  throw new Error('nothing was thrown')
}

/** An object nested deeper than JSON.stringify can follow. */
export function tooDeep(): JsonObject {
  let value: JsonObject = {}
  for (let depth = 0; depth < 50_000; depth++) value = { value }
  return value
}
