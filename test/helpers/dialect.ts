// What tests of dialects share: fixtures, a target, and whole streams decoded and joined.
import { readdirSync, readFileSync } from 'node:fs'
import { type ResponseMeta, type StreamEvent } from '../../src/model/event.js'
import { type JsonObject } from '../../src/model/json.js'
import { type Quirks, type Target } from '../../src/model/target.js'
import { type Dialect } from '../../src/protocols/contract/protocol.js'
import { testTarget } from './targets.js'

const FIXTURES = new URL('../../../test/fixtures/', import.meta.url)

export const FALLBACK: ResponseMeta = { id: 'req_1', model: 'shown', createdSec: 1_700_000_000, usage: null }

/** A vendor that takes nothing special, and whose streams end with the finish reason. */
export function target(protocol: string, over: Partial<Target> = {}, quirks: Partial<Quirks> = {}): Target {
  const plainest = { developerRole: false, imageUrls: false, reasoningRequest: 'none', doneMarker: false } as const
  return testTarget(protocol, over, { ...plainest, ...quirks })
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

export function json(path: string): JsonObject {
  return JSON.parse(fixture(path).toString('utf8'))
}

export function dialectOf(protocol: { readonly dialect: Dialect | null }): Dialect {
  if (protocol.dialect === null) throw new Error('no dialect')
  return protocol.dialect
}

/** An object nested deeper than JSON.stringify can follow. */
export function tooDeep(): JsonObject {
  let value: JsonObject = {}
  for (let depth = 0; depth < 50_000; depth++) value = { value }
  return value
}
