// No dialect counts what cannot be a count, streamed or whole, observed or decoded, and no surface shows it: one absurd number
// would put a rate limit into debt for half an hour, or a metric at infinity for good.
import { test } from 'tap'
import { type JsonObject, type JsonValue } from '../../src/model/json.js'
import { IMPLAUSIBLE, type UsageReport } from '../../src/model/usage.js'
import { createCodec } from '../../src/protocols/contract/codec.js'
import { type Dialect } from '../../src/protocols/contract/protocol.js'
import { PROTOCOLS } from '../../src/protocols/index.js'
import { ABSURD_COUNTS } from '../helpers/absurd-counts.js'
import { decode, FALLBACK, target } from '../helpers/dialect.js'
import { encodeStream } from '../helpers/matrix.js'

/** How a wire names its counts, and one stream and one whole answer around the object that holds them. */
type CountedWire = {
  readonly fields: readonly string[]
  readonly usage: (counts: string) => string
  readonly stream: (usage: string) => readonly string[]
  /** A stream that names its counts twice: at its start, and true ones at its end. */
  readonly begun?: (usage: string) => readonly string[]
  readonly whole: (usage: string) => string
}

const CHUNK = '"id":"c","object":"chat.completion.chunk","created":1,"model":"m"'
const MESSAGE = '"id":"m","type":"message","role":"assistant","model":"m"'
const RESPONSE = '"id":"resp_1","object":"response","created_at":1,"model":"m","error":null'
const ITEM =
  '{"id":"i","type":"message","role":"assistant","status":"completed","content":[{"type":"output_text","text":"Hi","annotations":[]}]}'
const REPLY = '"model":"m","created_at":"2026-01-01T00:00:00Z"'
const CANDIDATE = '"content":{"role":"model","parts":[{"text":"Hi"}]},"finishReason":"STOP","index":0'

const WIRES: Readonly<Record<string, CountedWire>> = {
  'openai-chat': {
    fields: ['prompt_tokens', 'completion_tokens'],
    usage: (counts) => `"usage":{${counts}}`,
    stream: (usage) => [
      `{${CHUNK},"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}`,
      `{${CHUNK},"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`,
      `{${CHUNK},"choices":[],${usage}}`,
      '[DONE]',
    ],
    whole: (usage) =>
      `{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],${usage}}`,
  },
  'openai-responses': {
    fields: ['input_tokens', 'output_tokens'],
    usage: (counts) => `"usage":{${counts}}`,
    stream: (usage) => [
      `{"type":"response.created","sequence_number":0,"response":{${RESPONSE},"status":"in_progress","output":[],"usage":null}}`,
      `{"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"id":"i","type":"message","role":"assistant","content":[]}}`,
      '{"type":"response.output_text.delta","sequence_number":2,"item_id":"i","output_index":0,"content_index":0,"delta":"Hi","logprobs":[]}',
      `{"type":"response.completed","sequence_number":3,"response":{${RESPONSE},"status":"completed","output":[${ITEM}],${usage}}}`,
    ],
    whole: (usage) => `{${RESPONSE},"status":"completed","output":[${ITEM}],${usage}}`,
  },
  'anthropic-messages': {
    fields: ['input_tokens', 'output_tokens', 'cache_read_input_tokens', 'cache_creation_input_tokens'],
    usage: (counts) => `"usage":{${counts}}`,
    stream: (usage) => [
      `{"type":"message_start","message":{${MESSAGE},"content":[],"stop_reason":null,"usage":{"input_tokens":3,"output_tokens":1}}}`,
      '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}',
      '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}',
      '{"type":"content_block_stop","index":0}',
      `{"type":"message_delta","delta":{"stop_reason":"end_turn"},${usage}}`,
      '{"type":"message_stop"}',
    ],
    begun: (usage) => [
      `{"type":"message_start","message":{${MESSAGE},"content":[],"stop_reason":null,${usage}}}`,
      '{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":7}}',
      '{"type":"message_stop"}',
    ],
    whole: (usage) => `{${MESSAGE},"content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn",${usage}}`,
  },
  'google-gemini': {
    fields: ['promptTokenCount', 'candidatesTokenCount', 'thoughtsTokenCount', 'cachedContentTokenCount'],
    usage: (counts) => `"usageMetadata":{${counts}}`,
    stream: (usage) => [`{"candidates":[{${CANDIDATE}}],${usage},"modelVersion":"m","responseId":"r"}`],
    whole: (usage) => `{"candidates":[{${CANDIDATE}}],${usage},"modelVersion":"m","responseId":"r"}`,
  },
  'ollama-chat': {
    fields: ['prompt_eval_count', 'eval_count'],
    usage: (counts) => counts,
    stream: (usage) => [
      `{${REPLY},"message":{"role":"assistant","content":"Hi"},"done":false}`,
      `{${REPLY},"message":{"role":"assistant","content":""},"done":true,"done_reason":"stop",${usage}}`,
    ],
    whole: (usage) =>
      `{${REPLY},"message":{"role":"assistant","content":"Hi"},"done":true,"done_reason":"stop",${usage}}`,
  },
}

const DIALECTS = PROTOCOLS.flatMap(({ dialect }) => (dialect === null ? [] : [dialect]))
/** A raw answer is never translated: it reaches its client as it is. */
const SURFACES = PROTOCOLS.flatMap(({ id, surface }) => (surface === null || id === 'raw-passthrough' ? [] : [surface]))

test('every wire that upstreams speak is under this law', (t) => {
  t.same(Object.keys(WIRES).sort(), DIALECTS.map(({ id }) => id).sort())
  t.end()
})

for (const dialect of DIALECTS) {
  const wire = WIRES[dialect.id]
  if (wire === undefined) continue

  test(`${dialect.id}: true counts are read the same in every way`, (t) => {
    const usage = wire.usage(wire.fields.map((field) => `"${field}":7`).join(','))
    const [first, ...others] = reports(dialect, wire, usage).map(([, report]) => report)
    t.match(first, { outputTokens: Number })
    for (const other of others) t.strictSame(other, first)
    t.end()
  })

  for (const field of wire.fields) {
    test(`${dialect.id}: a ${field} that cannot be a count is never counted and never shown`, (t) => {
      for (const { name, text } of ABSURD_COUNTS) {
        const counts = wire.fields.map((each) => `"${each}":${each === field ? text : '7'}`)
        const usage = wire.usage(counts.join(','))
        for (const [way, report] of reports(dialect, wire, usage)) t.equal(report, IMPLAUSIBLE, `${name} ${way}`)
        for (const [surface, shown] of [...answers(dialect, wire, usage), ...streams(dialect, wire, usage)]) {
          t.same(falseCounts(shown), [], `${name} ${surface}`)
        }
      }
      t.end()
    })
  }

  test(`${dialect.id}: a count of null is one that is not named`, (t) => {
    const usage = wire.usage(wire.fields.map((field) => `"${field}":null`).join(','))
    for (const [way, report] of reports(dialect, wire, usage)) t.not(report, IMPLAUSIBLE, way)
    for (const [surface, shown] of answers(dialect, wire, usage)) t.same(falseCounts(shown), [], surface)
    t.end()
  })
}

/** What each way of reading it makes of the usage. */
function reports(dialect: Dialect, wire: CountedWire, usage: string): [way: string, report: UsageReport | null][] {
  const at = target(dialect.id)
  const streamed = framesOf(wire, usage).flatMap((frames, i): [string, UsageReport | null][] => {
    const observer = dialect.createObserver({ stripUsage: false, target: at })
    for (const frame of frames) observer.observe(frame)
    const finish = decode(dialect, frames, at).find((event) => event.type === 'finish')
    return [
      [`streamed ${i}, observed`, observer.usage],
      [`streamed ${i}, decoded`, finish?.type === 'finish' ? finish.usage : null],
    ]
  })
  const whole = wire.whole(usage)
  return [
    ...streamed,
    ['whole, observed', dialect.readUsage(Buffer.from(whole))],
    ['whole, decoded', dialect.decodeResponse(JSON.parse(whole), FALLBACK).usage],
  ]
}

function framesOf({ stream, begun }: CountedWire, usage: string): Buffer[][] {
  const all = begun === undefined ? [stream(usage)] : [stream(usage), begun(usage)]
  return all.map((frames) => frames.map((frame) => Buffer.from(frame)))
}

/** The JSON that a stream in the form of every surface holds. */
function streams(dialect: Dialect, wire: CountedWire, usage: string): [surface: string, shown: JsonValue][] {
  const ways = framesOf(wire, usage).map((frames) => decode(dialect, frames, target(dialect.id)))
  return SURFACES.flatMap((surface) => {
    return ways.map((events): [string, JsonValue] => [
      `${surface.id} stream`,
      parseLines(encodeStream(surface, events)),
    ])
  })
}

/** Of SSE and of lines alike. */
function parseLines(sent: string): JsonValue[] {
  const lines = sent.split('\n').map((line) => line.replace(/^data: /, ''))
  return lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line))
}

/** The whole answer in the form of every surface, translated and aggregated. */
function answers(dialect: Dialect, wire: CountedWire, usage: string): [surface: string, shown: JsonObject][] {
  const codec = createCodec(PROTOCOLS)
  const body = (text: string) => new Uint8Array(Buffer.from(text))
  const framed = (frame: string) => (dialect.framing === 'sse' ? `data: ${frame}\n\n` : `${frame}\n`)
  return SURFACES.flatMap(({ id }): [string, JsonObject][] => {
    const task = { surfaceId: id, target: target(dialect.id), fallback: FALLBACK }
    const whole = codec.transcodeResponse({ ...task, body: body(wire.whole(usage)) })
    const joined = codec.aggregateFrames({ ...task, body: body(wire.stream(usage).map(framed).join('')) })
    return [whole, joined].map((answer) => [id, JSON.parse(Buffer.from(answer.body).toString('utf8'))])
  })
}

/** Members named after tokens or counts that are not whole numbers from 0 on. */
function falseCounts(value: unknown, path = ''): string[] {
  if (typeof value !== 'object' || value === null) {
    // A cap that an answer repeats is no count.
    const isCount = /tokens$|count$/i.test(path) && !path.endsWith('.max_output_tokens')
    return isCount && !(Number.isSafeInteger(value) && Number(value) >= 0) ? [`${path}: ${String(value)}`] : []
  }
  return Object.entries(value).flatMap(([key, member]) => falseCounts(member, `${path}.${key}`))
}
