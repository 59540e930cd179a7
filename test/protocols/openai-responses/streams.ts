// Streams of this wire in tests: events written one by one, and what our own encoder and decoder make of them.
import { type StreamEvent } from '../../../src/model/event.js'
import { isJsonObject, type JsonObject } from '../../../src/model/json.js'
import { ResponsesDecoder } from '../../../src/protocols/openai-responses/dialect/stream-decoder.js'
import { readEcho } from '../../../src/protocols/openai-responses/surface/echo.js'
import { ResponsesEncoder } from '../../../src/protocols/openai-responses/surface/stream-encoder.js'
import { testTarget } from '../../helpers/targets.js'

export const FALLBACK = { id: 'req-1', model: 'shown', createdSec: 1_700_000_000, usage: null }
export const META = { id: 'resp_1', model: 'm', createdSec: 1_700_000_000, usage: null }
export const TARGET = testTarget('openai-responses')

/** Events of payloads; `isWhole`: the body then ends. */
export function decode(payloads: readonly JsonObject[], isWhole = true): StreamEvent[] {
  const events: StreamEvent[] = []
  const decoder = new ResponsesDecoder((event) => events.push(event), { fallback: FALLBACK, target: TARGET })
  for (const payload of payloads) decoder.push(Buffer.from(JSON.stringify(payload)))
  if (isWhole) decoder.end()
  return events
}

/** What the encoder writes of events, as payloads; checks that each event's name is its type. */
export function encode(events: readonly StreamEvent[], request: JsonObject | null = null): JsonObject[] {
  let text = ''
  const echo = request === null ? null : readEcho(request)
  const encoder = new ResponsesEncoder(
    (frame) => {
      text += frame
    },
    { includeUsage: true, echo },
  )
  for (const event of events) encoder.push(event)
  return payloadsOf(text)
}

/** The payloads of SSE frames; each must be named by its type. */
export function payloadsOf(text: string): JsonObject[] {
  const frames = text.split('\n\n').slice(0, -1)
  return frames.map((frame) => {
    const [, name, data = ''] = /^event: (.*)\ndata: (.*)$/.exec(frame) ?? []
    const payload: unknown = JSON.parse(data)
    if (!isJsonObject(payload) || payload.type !== name) throw new Error(frame)
    return payload
  })
}

/** The types of payloads, without the common beginning. */
export function typesOf(payloads: readonly JsonObject[]): string[] {
  return payloads.map(({ type }) => String(type).replace(/^response\./, ''))
}

/** The items of the last payload's response. */
export function outputOf(payloads: readonly JsonObject[]): JsonObject[] {
  const response = payloads.at(-1)?.response
  const output = isJsonObject(response) ? response.output : null
  return Array.isArray(output) ? output.filter(isJsonObject) : []
}

/** The events of a stream with these blocks. */
export function blocks(list: readonly Block[], reason: 'stop' | 'length' | 'tool-calls' = 'stop'): StreamEvent[] {
  const events: StreamEvent[] = [{ type: 'start', meta: META }]
  list.forEach(({ head, deltas = [], signature = null }, index) => {
    events.push({ type: 'block-start', index, block: head })
    for (const delta of deltas) events.push({ type: 'block-delta', index, delta })
    events.push({ type: 'block-end', index, signature })
  })
  events.push({ type: 'finish', reason, usage: null, stopSequence: null })
  return events
}

export type Block = {
  readonly head: Extract<StreamEvent, { type: 'block-start' }>['block']
  readonly deltas?: readonly string[]
  readonly signature?: string | null
}
