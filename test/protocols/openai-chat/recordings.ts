// For the tests of this folder: fixtures from the repository's root, targets by quirk, and the laws of the event
// stream.
import { readdirSync, readFileSync } from 'node:fs'
import { type ResponseMeta, type StreamEvent } from '../../../src/model/event.js'
import { type JsonObject } from '../../../src/model/json.js'
import { type AssistantPart } from '../../../src/model/request.js'
import { type ChatResponse } from '../../../src/model/response.js'
import { type Quirks, type Target } from '../../../src/model/target.js'
import { ChatStreamDecoder } from '../../../src/protocols/openai-chat/stream-decoder.js'

const ROOT = new URL('../../../../test/fixtures/openai-chat/', import.meta.url)

/** A vendor that takes all of this wire. */
export const FULL_QUIRKS: Quirks = {
  maxTokensField: 'max_completion_tokens',
  streamOptions: true,
  developerRole: true,
  imageUrls: true,
  jsonSchema: 'json-schema',
  reasoningRequest: 'reasoning_effort',
  reasoningField: 'reasoning_content',
  refusedFields: [],
  doneMarker: true,
  maxTemperature: 2,
  defaultMaxTokens: 4096,
  azureApiVersion: null,
}

export const FALLBACK: ResponseMeta = { id: 'fallback-id', model: 'fallback-model', createdSec: 1, usage: null }

export function targetWith(quirks: Partial<Quirks> = {}, rest: Partial<Target> = {}): Target {
  const target = { provider: 'p', protocol: 'openai-chat', model: 'upstream-model', extraBody: {} }
  return { ...target, ...rest, quirks: { ...FULL_QUIRKS, ...quirks } }
}

/** File names of one kind of fixture, without their extension. */
export function cases(kind: 'requests' | 'streams' | 'responses' | 'errors'): string[] {
  return readdirSync(new URL(`${kind}/`, ROOT)).map((name) => name.replace(/\.\w+$/, ''))
}

export function readJson(path: string): JsonObject {
  return JSON.parse(readFileSync(new URL(path, ROOT), 'utf8')) as JsonObject
}

export function readBytes(path: string): Buffer {
  return readFileSync(new URL(path, ROOT))
}

/** The data payloads of a recorded stream: comments and blank lines are gone. */
export function payloads(sse: string): Buffer[] {
  const frames = sse.split('\n\n').filter((frame) => frame.startsWith('data: '))
  return frames.map((frame) => Buffer.from(frame.slice('data: '.length)))
}

export function readStream(name: string): Buffer[] {
  return payloads(readBytes(`streams/${name}.sse`).toString('utf8'))
}

export function decodeStream(frames: readonly Buffer[], target: Target = targetWith()): StreamEvent[] {
  const events: StreamEvent[] = []
  const decoder = new ChatStreamDecoder((event) => events.push(event), { fallback: FALLBACK, target })
  for (const frame of frames) decoder.push(frame)
  decoder.end()
  return events
}

/** One chunk with this delta on choice 0. */
export function chunkOf(delta: JsonObject, finishReason: string | null = null, rest: JsonObject = {}): Buffer {
  const choices = [{ index: 0, delta, finish_reason: finishReason }]
  return Buffer.from(JSON.stringify({ id: 'c1', created: 5, model: 'm', choices, ...rest }))
}

export const DONE = Buffer.from('[DONE]')

/** What breaks the order law of src/model/event.ts, in words; null if nothing does. */
export function breach(events: readonly StreamEvent[]): string | null {
  let open = -1
  let next = 0
  let isStarted = false
  for (const [i, event] of events.entries()) {
    const isLast = i === events.length - 1
    if (event.type === 'error') return isLast ? null : 'something follows an error'
    if (event.type === 'start') {
      if (i !== 0) return 'start is not first'
      isStarted = true
    } else if (!isStarted) return `${event.type} before start`
    else if (event.type === 'block-start') {
      if (open >= 0 || event.index !== next) return 'blocks overlap or have gaps'
      open = next++
    } else if (event.type === 'finish') {
      if (open >= 0) return 'finish within a block'
      return isLast ? null : 'something follows finish'
    } else if (event.index !== open) return `${event.type} outside its block`
    else if (event.type === 'block-end') open = -1
  }
  return 'no end'
}

/** What a whole answer would have said. */
export function aggregate(events: readonly StreamEvent[]): ChatResponse {
  let meta = FALLBACK
  const content: AssistantPart[] = []
  for (const event of events) {
    if (event.type === 'start') meta = event.meta
    if (event.type === 'block-start') content.push(emptyPart(event.block))
    if (event.type === 'block-delta') content[event.index] = grow(content[event.index] as AssistantPart, event.delta)
    if (event.type === 'error') throw new Error(event.error.message)
    if (event.type === 'finish') {
      return { meta, content, finishReason: event.reason, stopSequence: event.stopSequence, usage: event.usage }
    }
  }
  throw new Error('no end')
}

function emptyPart(head: Extract<StreamEvent, { type: 'block-start' }>['block']): AssistantPart {
  if (head.kind === 'text') return { type: 'text', text: '' }
  if (head.kind === 'reasoning') return { type: 'reasoning', text: '', signature: null, redacted: head.redacted }
  return { type: 'tool-call', id: head.id, name: head.name, arguments: '', signature: null }
}

function grow(part: AssistantPart, delta: string): AssistantPart {
  return part.type === 'tool-call'
    ? { ...part, arguments: part.arguments + delta }
    : { ...part, text: part.text + delta }
}

/** The kinds and texts of the blocks, in short. */
export function outline(events: readonly StreamEvent[]): string[] {
  return aggregate(events).content.map((part) =>
    part.type === 'tool-call' ? `${part.id}:${part.name}(${part.arguments})` : `${part.type}:${part.text}`,
  )
}

export function errorOf(run: () => unknown): { code: string; param: string | null; message: string } {
  try {
    run()
  } catch (thrown) {
    return (thrown as { data: { code: string; param: string | null; message: string } }).data
  }
  throw new Error('did not throw')
}
