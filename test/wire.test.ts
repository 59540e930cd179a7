// Details of the four wires that gateways get wrong, each as one test over every dialect and surface that has the detail.
// Covered by a protocol's own tests, and so not repeated here:
//   include_usage: a chunk of its own, null in the others     openai-chat/stream-encoder.test.ts
//   upstreams are always asked for usage; obfuscation passes  openai-chat/{edit,encode}-request.test.ts
//   the usage chunk is stripped where nobody asked            openai-chat/observer.test.ts
//   no end marker after a failure, stream ends of each kind   matrix.test.ts (every cell)
//   characters cut between chunks                             matrix.test.ts (every cell), wire/sse.test.ts
//   line ends, `data:` without space, many lines, frame cap   wire/sse.test.ts, wire/ndjson.test.ts
//   cumulative counts replace, a zero erases none             anthropic-messages/usage.test.ts
//   role-only, ping and empty frames are no first token       {openai-chat,anthropic-messages}/observer.test.ts
//   a wait that the upstream asks for                         google-gemini/error.test.ts
import { test } from 'tap'
import { errorData } from '../src/errors.js'
import { type StreamEvent } from '../src/model/event.js'
import { isJsonObject, type JsonObject, type JsonValue } from '../src/model/json.js'
import { type Dialect, FRAME_CONTENT, type Surface } from '../src/protocols/contract/protocol.js'
import { PROTOCOLS } from '../src/protocols/index.js'
import { createFrameScanner } from '../src/wire/frame.js'
import {
  DIALECTS,
  decodeBytes,
  decodeErrorFixture,
  encodeStream,
  jsonPayloadsOf,
  listFixtures,
  REQUEST_ID,
  readFixture,
  SURFACES,
  targetOf,
} from './helpers/matrix.js'

const OPENAI = surfaceOf('openai-chat')
const ANTHROPIC = surfaceOf('anthropic-messages')
const SOME_BYTES = 64

function surfaceOf(id: string): Surface {
  const found = SURFACES.find((surface) => surface.id === id)
  if (found === undefined) throw new Error(`no surface ${id}`)
  return found
}

type Recording = {
  readonly name: string
  readonly dialect: Dialect
  readonly bytes: Buffer
  readonly events: readonly StreamEvent[]
}

const RECORDINGS: readonly Recording[] = DIALECTS.flatMap((dialect) =>
  listFixtures(dialect, 'streams').map((file) => {
    const bytes = readFixture(`${dialect.id}/streams/${file}`)
    return { name: `${dialect.id} ${file}`, dialect, bytes, events: decodeBytes(dialect, bytes, SOME_BYTES) }
  }),
)

/** The vendor's table: which type goes with which status. */
const ANTHROPIC_STATUSES: Readonly<Record<string, readonly number[]>> = {
  invalid_request_error: [400, 402, 404, 422],
  billing_error: [402],
  authentication_error: [401],
  permission_error: [403],
  not_found_error: [404],
  request_too_large: [413],
  rate_limit_error: [429],
  api_error: [500, 502],
  timeout_error: [504],
  overloaded_error: [503, 529],
}

test('every refusal has the envelope of its surface, and a type that agrees with its status', (t) => {
  for (const dialect of DIALECTS) {
    for (const file of listFixtures(dialect, 'errors')) {
      const error = decodeErrorFixture(dialect, file)
      const openai = OPENAI.encodeError(error, REQUEST_ID)
      const inner = objectOf(openai.body.error)
      t.strictSame(Object.keys(inner), ['message', 'type', 'param', 'code'], file)
      if (inner.type === 'server_error') t.ok(openai.status >= 500, `${dialect.id} ${file}`)
      if (inner.type === 'invalid_request_error') t.ok(openai.status < 500, `${dialect.id} ${file}`)
      const anthropic = ANTHROPIC.encodeError(error, REQUEST_ID)
      t.match(anthropic.body, { type: 'error', error: { message: String }, request_id: REQUEST_ID })
      const type = String(objectOf(anthropic.body.error).type)
      t.ok(ANTHROPIC_STATUSES[type]?.includes(anthropic.status), `${dialect.id} ${file}: ${type} ${anthropic.status}`)
    }
  }
  t.end()
})

test('the two kinds of 429 stay apart: what waiting does not cure is not to be tried again', (t) => {
  const isRetryable = (dialect: string, file: string) => {
    const found = DIALECTS.find((one) => one.id === dialect)
    return found === undefined ? null : decodeErrorFixture(found, file).retryable
  }
  t.equal(isRetryable('openai-chat', '429-quota.json'), false)
  t.equal(isRetryable('openai-chat', '429-rate-limit.json'), true)
  t.equal(isRetryable('anthropic-messages', '429-spend-limit.json'), false)
  t.equal(isRetryable('anthropic-messages', '429-rate-limit.json'), true)
  t.equal(isRetryable('google-gemini', '429-resource-exhausted.json'), true)
  t.end()
})

/** What a provider's 401 is without a word of the provider's. */
const UNAUTHORIZED = errorData('upstream_rejected', { status: 401 })

test("a provider's refusal of the gateway's key has the same status from all, and none of the provider's words", (t) => {
  for (const dialect of DIALECTS) {
    for (const file of listFixtures(dialect, 'errors').filter((name) => /^401|api-key-invalid/.test(name))) {
      const error = decodeErrorFixture(dialect, file)
      for (const surface of SURFACES) {
        const { status, body } = surface.encodeError(error, REQUEST_ID)
        t.equal(status, 401, `${dialect.id} ${file}`)
        const words = typeof body.error === 'string' ? body.error : objectOf(body.error).message
        t.equal(words, "The provider rejected the gateway's credentials.")
        // One surface has that word for the status itself, whoever refused.
        const isOwnWord = JSON.stringify(surface.encodeError(UNAUTHORIZED, REQUEST_ID).body).includes('UNAUTHENTICATED')
        t.notMatch(JSON.stringify(body), /invalid_api_key|API_KEY_INVALID|unauthorized/)
        if (!isOwnWord) t.notMatch(JSON.stringify(body), /UNAUTHENTICATED/)
      }
    }
  }
  t.end()
})

test('an error in a stream is one frame with the body of an error answer', (t) => {
  const error = errorData('upstream_cut')
  t.equal(OPENAI.encodeErrorFrame(error, REQUEST_ID), `data: ${JSON.stringify(OPENAI.encodeError(error, '').body)}\n\n`)
  t.equal(
    ANTHROPIC.encodeErrorFrame(error, REQUEST_ID),
    `event: error\ndata: ${JSON.stringify(ANTHROPIC.encodeError(error, REQUEST_ID).body)}\n\n`,
  )
  t.end()
})

test('usage reaches a client once, the same in both surfaces, and not at all when the stream was cut', (t) => {
  for (const { name, events } of RECORDINGS) {
    const last = events.at(-1)
    const chunks = jsonPayloadsOf(encodeStream(OPENAI, events)).filter((chunk) => isJsonObject(chunk.usage))
    const deltas = jsonPayloadsOf(encodeStream(ANTHROPIC, events)).filter((frame) => frame.type === 'message_delta')
    if (last?.type !== 'finish') {
      t.strictSame([chunks, deltas], [[], []], name)
      continue
    }
    t.equal(deltas.length, 1, name)
    t.equal(chunks.length, last.usage === null ? 0 : 1, name)
    if (last.usage === null) continue
    const openai = objectOf(chunks[0]?.usage)
    const anthropic = objectOf(deltas[0]?.usage)
    const input = ['input_tokens', 'cache_read_input_tokens', 'cache_creation_input_tokens']
    t.equal(openai.prompt_tokens, sumOf(input.map((member) => anthropic[member])), name)
    t.equal(openai.completion_tokens, anthropic.output_tokens, name)
    t.equal(openai.total_tokens, sumOf([openai.prompt_tokens, openai.completion_tokens]), name)
  }
  t.end()
})

test('message_start never counts 0 in and 0 out, and its output count is not the answer', (t) => {
  for (const { name, events } of RECORDINGS) {
    const start = jsonPayloadsOf(encodeStream(ANTHROPIC, events)).find((frame) => frame.type === 'message_start')
    if (start !== undefined) t.equal(objectOf(objectOf(start.message).usage).output_tokens, 1, name)
  }
  t.end()
})

test('calls of a chat stream: one index a call, rising; id, type and name in the first fragment; one entry a chunk', (t) => {
  for (const { name, events } of RECORDINGS) {
    const seen: JsonValue[] = []
    for (const chunk of jsonPayloadsOf(encodeStream(OPENAI, events))) {
      const calls = callsOf(chunk)
      t.ok(calls.length <= 1, name)
      for (const call of calls) {
        const isFirst = !seen.includes(call.index ?? null)
        if (isFirst) t.equal(call.index, seen.push(call.index ?? null) - 1, `${name}: no gap`)
        t.equal(call.index, seen.length - 1, `${name}: no return to an earlier call`)
        t.strictSame(
          ['id' in call, 'type' in call, 'name' in objectOf(call.function)],
          [isFirst, isFirst, isFirst],
          name,
        )
        t.type(objectOf(call.function).arguments, 'string', name)
      }
    }
  }
  t.end()
})

test('blocks of a message stream: indices without gaps, each closed before the next, every delta with its index', (t) => {
  for (const { name, events } of RECORDINGS) {
    let open: JsonValue = null
    let next = 0
    for (const frame of jsonPayloadsOf(encodeStream(ANTHROPIC, events))) {
      if (frame.type === 'content_block_start') {
        t.strictSame([open, frame.index], [null, next], name)
        open = next++
      } else if (frame.type === 'content_block_delta') t.equal(frame.index, open, name)
      else if (frame.type === 'content_block_stop') {
        t.equal(frame.index, open, name)
        open = null
      } else if (frame.type === 'message_delta') t.equal(open, null, name)
    }
  }
  t.end()
})

test('a signature is the last delta of a thinking block, and one alone keeps its block', (t) => {
  let found = 0
  for (const { name, events } of RECORDINGS) {
    const frames = jsonPayloadsOf(encodeStream(ANTHROPIC, events))
    frames.forEach((frame, at) => {
      if (objectOf(frame.delta).type !== 'signature_delta') return
      found += 1
      const start = frames.find((other) => other.type === 'content_block_start' && other.index === frame.index)
      t.equal(objectOf(start?.content_block).type, 'thinking', name)
      t.match(frames[at + 1], { type: 'content_block_stop', index: frame.index }, name)
    })
  }
  t.ok(found > 0)
  for (const { name, events } of RECORDINGS.filter((one) => one.name.includes('signature-only'))) {
    t.match(encodeStream(ANTHROPIC, events), /signature_delta/, name)
  }
  t.end()
})

test('a signature never reaches another vendor than the one that made it', (t) => {
  for (const { name, dialect, events } of RECORDINGS) {
    for (const signature of signaturesOf(events)) {
      const turn = { type: 'thinking', thinking: 'hm', signature }
      const body: JsonObject = {
        model: 'm',
        max_tokens: 9,
        messages: [
          { role: 'user', content: 'a' },
          { role: 'assistant', content: [turn, { type: 'text', text: 'b' }] },
          { role: 'user', content: 'c' },
        ],
      }
      for (const other of DIALECTS.filter((one) => one.id !== dialect.id)) {
        const sent = JSON.stringify(other.encodeRequest(ANTHROPIC.decodeRequest(body), targetOf(other)).body)
        t.notOk(sent.includes(signature.replace(/^.*:/, '')), `${name} to ${other.id}`)
      }
      const back = JSON.stringify(dialect.encodeRequest(ANTHROPIC.decodeRequest(body), targetOf(dialect)).body)
      t.ok(back.includes(`"${signature.replace(/^.*:/, '')}"`), `${name} and back`)
    }
  }
  t.end()
})

test('the first token an observer sees is the first content a decoder gives', (t) => {
  for (const { name, dialect, bytes } of RECORDINGS) {
    const target = targetOf(dialect)
    const observer = dialect.createObserver({ stripUsage: true, target })
    let isContent = false
    const fallback = { id: 'i', model: 'm', createdSec: 1, usage: null }
    const decoder = dialect.createDecoder(
      (event) => {
        isContent ||= event.type === 'block-delta' || (event.type === 'block-start' && event.block.kind === 'tool-call')
      },
      { fallback, target },
    )
    let wasSeen = false
    scan(dialect, bytes, (payload) => {
      wasSeen ||= (observer.observe(payload) & FRAME_CONTENT) !== 0
      decoder.push(payload)
      t.ok(wasSeen || !isContent, `${name}: content is never late`)
    })
    const hasSaid = decodeBytes(dialect, bytes, bytes.length).some((event) => event.type === 'block-delta')
    if (hasSaid) t.ok(wasSeen, name)
  }
  t.end()
})

test('a keepalive between any two frames changes nothing for the client', (t) => {
  for (const surface of SURFACES) {
    const dialect = DIALECTS.find((one) => one.id === surface.id)
    if (dialect === undefined) continue
    for (const { name, events } of RECORDINGS) {
      const sent = encodeStream(surface, events)
      const padded = sent.split('\n\n').join(`\n\n${surface.keepaliveFrame}`)
      t.strictSame(
        decodeBytes(dialect, Buffer.from(surface.keepaliveFrame + padded), SOME_BYTES),
        decodeBytes(dialect, Buffer.from(sent), SOME_BYTES),
        name,
      )
    }
  }
  t.end()
})

/** As openai-python 3.57 reads: after any `id:` line a blank line ends an event, even one without data, and the client fails on it. */
function readStrictly(text: string): string[] {
  const events: string[] = []
  let data = ''
  let hasId = false
  for (const line of text.split('\n').slice(0, -1)) {
    if (line.startsWith('id:')) hasId = true
    else if (line.startsWith('data:')) data += line.slice(5)
    else if (line === '' && (hasId || data !== '')) {
      events.push(data)
      data = ''
    }
  }
  return events
}

/**
 * The library of this API's vendor takes a comment for the beginning of what follows it, up to the next blank line, and drops both
 * (@google/genai 2.32, processStreamResponse): a blank line behind it keeps the data. It reads no ids, and no strict client this API.
 */
const BLANK_ENDED = ['google-gemini']

test('a keepalive among frames with ids is no empty event, for the strictest client either', (t) => {
  const forms = PROTOCOLS.flatMap(({ surface }) => [
    ...(surface?.framing === 'sse' && !BLANK_ENDED.includes(surface.id)
      ? [{ name: surface.id, keepaliveFrame: surface.keepaliveFrame }]
      : []),
    ...(surface?.upstreamFrames === undefined ? [] : [{ name: `${surface.id}, raw`, ...surface.upstreamFrames.sse }]),
  ])
  t.ok(forms.length >= 5, 'all surfaces of this framing')
  for (const { name, keepaliveFrame } of forms) {
    const text = `id: 0\ndata:{"a":0}\n\n${keepaliveFrame}${keepaliveFrame}id: 1\ndata:{"a":1}\n\n`
    const events = readStrictly(text).filter((data) => !data.includes('"ping"'))
    t.strictSame(events, ['{"a":0}', '{"a":1}'], name)
  }
  t.end()
})

test('comments of an upstream, such as OpenRouter sends while it waits, are no frames', (t) => {
  for (const { name, dialect, bytes, events } of RECORDINGS.filter((one) => one.dialect.framing === 'sse')) {
    const padded = `: OPENROUTER PROCESSING\n\n${bytes.toString('utf8').split('\n\n').join('\n\n: OPENROUTER PROCESSING\n\n')}`
    t.strictSame(decodeBytes(dialect, Buffer.from(padded), SOME_BYTES), events, name)
  }
  t.end()
})

test('a frame that is no JSON object ends the stream, and nothing after it is read', (t) => {
  for (const { name, dialect, bytes } of RECORDINGS) {
    const broken = dialect.framing === 'sse' ? 'data: {"broken":\n\n' : '{"broken":\n'
    const events = decodeBytes(dialect, Buffer.concat([Buffer.from(broken), bytes]), SOME_BYTES)
    t.match(events, [{ type: 'error', error: { code: 'upstream_malformed' } }], name)
    t.equal(events.length, 1, name)
  }
  t.end()
})

test('a frame of megabytes passes whole', (t) => {
  const big = 'x'.repeat(3 * 1024 * 1024)
  for (const { name, dialect, bytes } of RECORDINGS.filter((one) => / unicode\./.test(one.name))) {
    const grown = Buffer.from(bytes.toString('utf8').replace('Grüße', `Grüße${big}`))
    const events = decodeBytes(dialect, grown, 64 * 1024)
    t.equal(events.at(-1)?.type, 'finish', name)
    for (const surface of SURFACES) t.ok(encodeStream(surface, events).includes(big), `${name} for ${surface.id}`)
  }
  t.end()
})

test("ids bear the vendor's prefix, whoever made them", (t) => {
  for (const { name, events } of RECORDINGS) {
    const [first] = jsonPayloadsOf(encodeStream(OPENAI, events))
    if (first !== undefined && 'id' in first) t.match(first.id, /^chatcmpl-/, name)
    const start = jsonPayloadsOf(encodeStream(ANTHROPIC, events))[0]
    if (start?.type === 'message_start') t.match(objectOf(start.message).id, /^msg_/, name)
  }
  t.end()
})

function scan(dialect: Dialect, bytes: Buffer, onPayload: (payload: Buffer) => void): void {
  const scanner = createFrameScanner(dialect.framing, (payload) => {
    if (payload.length > 0) onPayload(payload)
  })
  scanner.push(bytes)
  scanner.end()
}

function objectOf(value: JsonValue | undefined): JsonObject {
  return isJsonObject(value) ? value : {}
}

function sumOf(values: readonly (JsonValue | undefined)[]): number {
  return values.reduce<number>((total, value) => total + (typeof value === 'number' ? value : 0), 0)
}

function callsOf(chunk: JsonObject): JsonObject[] {
  const choice = Array.isArray(chunk.choices) ? objectOf(chunk.choices[0]) : {}
  const calls = objectOf(choice.delta).tool_calls
  return Array.isArray(calls) ? calls.filter(isJsonObject) : []
}

function signaturesOf(events: readonly StreamEvent[]): string[] {
  return events.flatMap((event) => (event.type === 'block-end' && event.signature !== null ? [event.signature] : []))
}
