// The cells of the translation matrix: surfaces, dialects, a target for each, and the ways through both halves of a protocol.
import { readdirSync, readFileSync } from 'node:fs'
import { GatewayError } from '../../src/errors.js'
import { type ErrorData } from '../../src/model/error.js'
import { type ResponseMeta, type StreamEvent } from '../../src/model/event.js'
import { isJsonObject, type JsonObject } from '../../src/model/json.js'
import { type Quirks, type Target } from '../../src/model/target.js'
import { translateRequest } from '../../src/protocols/contract/codec.js'
import {
  type Dialect,
  type EditedRequest,
  type RequestFacts,
  type Surface,
} from '../../src/protocols/contract/protocol.js'
import { isRare, PartFilter } from '../../src/protocols/fit/answer.js'
import { PROTOCOLS } from '../../src/protocols/index.js'
import { createFrameScanner } from '../../src/wire/frame.js'
import { testTarget } from './targets.js'

const FIXTURES = new URL('../../../test/fixtures/', import.meta.url)

/** What the gateway gives where an upstream names no id, model or time. */
export const FALLBACK: ResponseMeta = { id: 'req-7c2f', model: 'shown', createdSec: 1_700_000_000, usage: null }
export const REQUEST_ID = 'req-7c2f'

/** Surfaces of protocols with both halves: each meets every dialect in every case. */
export const SURFACES: readonly Surface[] = PROTOCOLS.flatMap(({ surface, dialect }) =>
  surface === null || dialect === null ? [] : [surface],
)
export const DIALECTS: readonly Dialect[] = PROTOCOLS.flatMap((one) => (one.dialect === null ? [] : [one.dialect]))

/** For each dialect the vendor that owns it, with a model that makes demands of its own. */
const TARGETS: Readonly<Record<string, Target>> = {
  'openai-chat': target('openai-chat', 'gpt-5-mini', {
    maxTokensField: 'max_completion_tokens',
    developerRole: true,
    // The vendor refuses members of a message that its document does not have.
    refusedFields: ['reasoning_content'],
  }),
  'openai-responses': target('openai-responses', 'gpt-5-mini', {
    developerRole: true,
    reasoningRequest: 'reasoning',
    doneMarker: false,
  }),
  'anthropic-messages': target('anthropic-messages', 'claude-sonnet-4-5', { maxTemperature: 1 }),
  'google-gemini': target('google-gemini', 'gemini-3-pro-preview', { doneMarker: false, imageUrls: false }),
  'ollama-chat': target('ollama-chat', 'qwen3', { imageUrls: false }),
}

function target(protocol: string, model: string, quirks: Partial<Quirks>): Target {
  return testTarget(protocol, { model }, { developerRole: false, defaultMaxTokens: 8192, ...quirks })
}

export function targetOf(dialect: Dialect): Target {
  const found = TARGETS[dialect.id]
  if (found === undefined) throw new Error(`test/helpers/matrix.ts needs a target for ${dialect.id}`)
  return found
}

/** The request that leaves for the upstream, made as the pipeline makes it. */
export type SentRequest = { readonly path: string; readonly body: JsonObject; readonly dropped: readonly string[] }
/** What the client is told where nothing leaves. */
export type RefusedRequest = { readonly refused: Pick<ErrorData, 'code' | 'param' | 'message'> }

export function sendRequest(surface: Surface, dialect: Dialect, body: JsonObject): SentRequest | RefusedRequest {
  try {
    return encodeRequest(surface, dialect, body)
  } catch (thrown) {
    if (!(thrown instanceof GatewayError)) throw thrown
    const { code, param, message } = thrown.data
    return { refused: { code, param, message } }
  }
}

function encodeRequest(surface: Surface, dialect: Dialect, body: JsonObject): SentRequest {
  const to = targetOf(dialect)
  const facts = surface.readFacts(body)
  const path = dialect.path(to, facts.stream)
  if (surface.id !== dialect.id)
    return { path, ...translateRequest(surface.decodeRequest(body, promptOf(facts)), dialect, to) }
  const edited = dialect.editRequest(facts, body, to)
  return { path, body: applyEdits(body, edited), dropped: edited.dropped }
}

/** The text that the library would have. */
function promptOf({ prompt }: RequestFacts): string | null {
  return prompt === null ? null : `The prompt ${prompt.name} in ${prompt.language}.`
}

function applyEdits(body: JsonObject, { edits }: EditedRequest): JsonObject {
  const edited: JsonObject = { ...body }
  for (const [name, value] of edits) {
    if (value === undefined) delete edited[name]
    else edited[name] = value
  }
  return edited
}

/** Bytes of an upstream -> scanner -> decoder, in chunks that cut frames and characters. */
export function decodeBytes(dialect: Dialect, bytes: Buffer, chunkBytes: number): StreamEvent[] {
  const events: StreamEvent[] = []
  const decoder = dialect.createDecoder((event) => events.push(event), {
    fallback: FALLBACK,
    target: targetOf(dialect),
  })
  const scanner = createFrameScanner(dialect.framing, (payload) => {
    if (payload.length > 0) decoder.push(payload)
  })
  for (let at = 0; at < bytes.length; at += chunkBytes) scanner.push(Buffer.from(bytes.subarray(at, at + chunkBytes)))
  scanner.end()
  decoder.end()
  return events
}

/** Events -> what the client's socket gets; an error ends it with its frame, as the relay does. */
export function encodeStream(surface: Surface, events: readonly StreamEvent[], includeUsage = true): string {
  let sent = ''
  const encoder = surface.createEncoder(
    (frame) => {
      sent += frame
    },
    { includeUsage },
  )
  const filter = new PartFilter(surface.hasPlaceFor)
  let isLeftOut = false
  for (const event of events) {
    if (event.type === 'citation' && !filter.keeps(event.citation)) continue
    if (event.type === 'block-start') isLeftOut = isRare(event.block) && !filter.keeps(event.block)
    if (isLeftOut && (event.type === 'block-start' || event.type === 'block-end')) continue
    const { dropped } = filter
    if (event.type === 'finish' && surface.framing === 'sse' && dropped.length > 0) {
      sent += `: x-sluice-dropped: ${dropped.join(', ')}\n`
    }
    encoder.push(event)
    if (event.type !== 'error') continue
    // As the pipeline does: a stream that has begun is continued by its own encoder, if it can.
    const hasFrames = sent !== ''
    const continued = hasFrames ? encoder.encodeErrorFrame?.(event.error) : undefined
    sent += continued ?? surface.encodeErrorFrame(event.error, REQUEST_ID, hasFrames)
  }
  return sent
}

/** Payloads of a stream that a surface wrote: of events, or lines of JSON. */
export function payloadsOf(sent: string): string[] {
  // Split at line feeds only: U+2028 ends a line for a regular expression, not for SSE.
  const lines = sent.split('\n').filter((line) => line.startsWith('data: ') || line.startsWith('{'))
  return lines.map((line) => (line.startsWith('{') ? line : line.slice('data: '.length)))
}

/** The JSON payloads of a stream that a surface wrote. */
export function jsonPayloadsOf(sent: string): JsonObject[] {
  return payloadsOf(sent)
    .filter((payload) => payload !== '[DONE]')
    .map((payload) => JSON.parse(payload))
    .filter(isJsonObject)
}

export function readFixture(path: string): Buffer {
  return readFileSync(new URL(path, FIXTURES))
}

/** File names of one kind of fixture, in order. */
export function listFixtures(dialect: Dialect, kind: 'errors' | 'streams'): string[] {
  return readdirSync(new URL(`${dialect.id}/${kind}/`, FIXTURES)).sort()
}

/** The status an error fixture was answered with: its name begins with it. */
export function decodeErrorFixture(dialect: Dialect, name: string): ErrorData {
  return dialect.decodeError(Number(name.slice(0, 3)), readFixture(`${dialect.id}/errors/${name}`))
}
