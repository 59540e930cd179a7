// For the tests of this folder: fixtures from the repository's root, targets by quirk, and streams in short.
import { readdirSync, readFileSync } from 'node:fs'
import { type ResponseMeta, type StreamEvent } from '../../../src/model/event.js'
import { type JsonObject } from '../../../src/model/json.js'
import { type Quirks, type Target } from '../../../src/model/target.js'
import { ChatStreamDecoder } from '../../../src/protocols/openai-chat/dialect/stream-decoder.js'
import { aggregate } from '../../helpers/aggregate.js'
import { testTarget } from '../../helpers/targets.js'

const ROOT = new URL('../../../../test/fixtures/openai-chat/', import.meta.url)

export const FALLBACK: ResponseMeta = { id: 'fallback-id', model: 'fallback-model', createdSec: 1, usage: null }

/** A vendor that takes all of this wire. */
export function targetWith(quirks: Partial<Quirks> = {}, rest: Partial<Target> = {}): Target {
  const newer = { maxTokensField: 'max_completion_tokens', ...quirks } as const
  return testTarget('openai-chat', { model: 'upstream-model', ...rest }, newer)
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

/** The kinds and texts of the blocks, in short. */
export function outline(events: readonly StreamEvent[]): string[] {
  return aggregate(events, FALLBACK).content.map((part) => {
    if (part.type === 'tool-call') return `${part.id}:${part.name}(${part.arguments})`
    return part.type === 'made-image' || part.type === 'opaque' ? part.type : `${part.type}:${part.text}`
  })
}
