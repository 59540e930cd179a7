// Loads this protocol's fixtures for its tests, and the target and metadata they share. Holds no test itself.
import { readdirSync, readFileSync } from 'node:fs'
import { type ResponseMeta, type StreamEvent } from '../../../src/model/event.js'
import { type JsonObject } from '../../../src/model/json.js'
import { type Quirks, type Target } from '../../../src/model/target.js'
import { MessagesDecoder } from '../../../src/protocols/anthropic-messages/dialect/stream-decoder.js'
import { testTarget } from '../../helpers/targets.js'

const ROOT = new URL('../../../../test/fixtures/anthropic-messages/', import.meta.url)

export const FALLBACK: ResponseMeta = { id: 'req-1', model: 'asked-for', createdSec: 1_700_000_000, usage: null }

/** A target of this protocol; `quirks` lies over the defaults. */
export function targetOf(options: { model?: string; quirks?: Partial<Quirks>; extraBody?: JsonObject } = {}): Target {
  const { model = 'claude-sonnet-4-5', extraBody = {} } = options
  const over = { provider: 'anthropic', model, extraBody }
  return testTarget('anthropic-messages', over, { maxTemperature: 1, reasoningRequest: 'none', ...options.quirks })
}

/** Names of the files of one kind, in order. */
export function filesOf(kind: 'requests' | 'streams' | 'responses' | 'errors'): string[] {
  return readdirSync(new URL(`${kind}/`, ROOT)).sort()
}

export function bytesOf(path: string): Buffer {
  return readFileSync(new URL(path, ROOT))
}

export function jsonOf(path: string): JsonObject {
  return JSON.parse(bytesOf(path).toString('utf8'))
}

/** The payloads of a recorded stream, one per frame. */
export function payloadsOf(name: string): Buffer[] {
  return splitFrames(bytesOf(`streams/${name}.sse`).toString('utf8')).map((frame) => Buffer.from(frame.data))
}

/** Frames of a stream that we or the vendor wrote: an event line and one data line each. */
export function splitFrames(stream: string): { event: string; data: string }[] {
  const frames = stream.split('\n\n')
  if (frames.pop() !== '') throw new Error('the stream does not end with a whole frame')
  return frames.map((frame) => {
    const match = /^event: (\w+)\ndata: (.*)$/s.exec(frame)
    if (match?.[1] === undefined || match[2] === undefined) throw new Error(`not a frame: ${frame}`)
    return { event: match[1], data: match[2] }
  })
}

/** Decodes payloads and ends the stream. */
export function decodeAll(payloads: readonly (string | Buffer)[]): StreamEvent[] {
  const events: StreamEvent[] = []
  const decoder = new MessagesDecoder((event) => events.push(event), { fallback: FALLBACK, target: targetOf() })
  for (const payload of payloads) decoder.push(Buffer.from(payload))
  decoder.end()
  return events
}
