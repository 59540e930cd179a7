// Why a model stopped is the same word however it is learnt: from a stream that is observed or decoded, from a whole answer
// whose bytes are searched or decoded. The log shows it of passthrough and translated answers alike.
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'tap'
import { type FinishReason, type StreamEvent } from '../../src/model/event.js'
import { type JsonObject } from '../../src/model/json.js'
import { type Dialect } from '../../src/protocols/contract/protocol.js'
import { PROTOCOLS } from '../../src/protocols/index.js'
import { createFrameScanner } from '../../src/wire/frame.js'
import { FALLBACK, target } from '../helpers/dialect.js'

const FIXTURES = new URL('../../../test/fixtures/', import.meta.url)

const CHUNK = '"id":"c","object":"chat.completion.chunk","created":1,"model":"m"'
const CALLED = '{"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}'
const ANSWERED = '"type":"tool_use","id":"t1","name":"sluice_json_answer"'

/** What fixtures lack: a stop that is a call, an answer that is a tool's input, a reason's name within arguments. */
const STREAMS: Readonly<Record<string, readonly [frames: readonly string[], finish: FinishReason][]>> = {
  'openai-chat': [
    [
      [
        `{${CHUNK},"choices":[{"index":0,"delta":{"tool_calls":[${CALLED}]},"finish_reason":null}]}`,
        `{${CHUNK},"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`,
      ],
      'tool-calls',
    ],
    [
      [
        `{${CHUNK},"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}`,
        `{${CHUNK},"choices":[{"index":0,"delta":{},"finish_reason":"content_filter"}]}`,
      ],
      'content-filter',
    ],
  ],
  'openai-responses': [
    [
      [
        '{"type":"response.created","response":{"id":"r","model":"m","created_at":1}}',
        '{"type":"response.completed","response":{"status":"completed","output":[{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}]}}',
      ],
      'tool-calls',
    ],
    [
      [
        '{"type":"response.created","response":{"id":"r","model":"m","created_at":1}}',
        '{"type":"response.incomplete","response":{"status":"incomplete","incomplete_details":{"reason":"unheard of"},"output":[]}}',
      ],
      'other',
    ],
  ],
  'anthropic-messages': [
    [
      [
        '{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"m","content":[]}}',
        `{"type":"content_block_start","index":0,"content_block":{${ANSWERED},"input":{}}}`,
        '{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{}"}}',
        '{"type":"content_block_stop","index":0}',
        '{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":1}}',
        '{"type":"message_stop"}',
      ],
      'stop',
    ],
  ],
}

const WHOLES: Readonly<Record<string, readonly [body: string, finish: FinishReason][]>> = {
  'openai-chat': [
    [`{"choices":[{"message":{"tool_calls":[${CALLED}]},"finish_reason":"stop"}]}`, 'tool-calls'],
    ['{"choices":[{"message":{"function_call":{"name":"f","arguments":"{}"}},"finish_reason":"stop"}]}', 'tool-calls'],
    [`{"choices":[{"message":{"content":"\\"finish_reason\\":\\"length\\""},"finish_reason":"stop"}]}`, 'stop'],
    [`{"choices":[{"message":{"content":"Hi","tool_calls":[ ]},"finish_reason": "stop"}]}`, 'stop'],
  ],
  'openai-responses': [
    [
      '{"status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"\\"function_call\\""}]}]}',
      'stop',
    ],
    ['{"status":"completed","output":[{"type":"custom_tool_call","call_id":"c","name":"f","input":""}]}', 'tool-calls'],
    ['{"status":"incomplete","incomplete_details":{"reason":"content_filter"},"output":[]}', 'content-filter'],
  ],
  'anthropic-messages': [
    [`{"type":"message","content":[{${ANSWERED},"input":{}}],"stop_reason":"tool_use"}`, 'stop'],
    [
      `{"type":"message","stop_reason":"end_turn","content":[{"type":"tool_use","id":"t","name":"f","input":{"stop_reason":"refusal"}}]}`,
      'stop',
    ],
  ],
  'google-gemini': [
    [
      '{"candidates":[{"finishReason":"STOP","content":{"parts":[{"functionCall":{"name":"f","args":{"finishReason":"SAFETY"}}}]}}]}',
      'tool-calls',
    ],
  ],
  'ollama-chat': [
    [
      '{"message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":{"done_reason":"length"}}}]},"done":true,"done_reason":"stop"}',
      'tool-calls',
    ],
  ],
}

for (const { dialect } of PROTOCOLS) {
  if (dialect === null) continue

  test(`${dialect.id}: a stream that is observed has the finish reason of one that is decoded`, (t) => {
    const seen = new Set<string>()
    for (const name of filesIn(`${dialect.id}/streams`)) {
      const frames = framesOf(dialect, readFileSync(new URL(`${dialect.id}/streams/${name}`, FIXTURES)))
      const { decoded, observed } = finishOf(dialect, frames)
      if (decoded === null) continue
      seen.add(decoded)
      t.equal(observed, decoded, name)
    }
    for (const [frames, finish] of STREAMS[dialect.id] ?? []) {
      const bytes = frames.map((frame) => Buffer.from(frame))
      t.strictSame(finishOf(dialect, bytes), { decoded: finish, observed: finish })
    }
    t.ok(seen.size >= 3, [...seen].join(' '))
    t.end()
  })

  test(`${dialect.id}: a stream that has not ended has no finish reason`, (t) => {
    const observer = dialect.createObserver({ stripUsage: false, target: target(dialect.id) })
    t.equal(observer.finish, null)
    t.end()
  })

  test(`${dialect.id}: a whole answer that is read by its bytes has the finish reason of one that is decoded`, (t) => {
    const seen = new Set<string>()
    for (const name of filesIn(`${dialect.id}/responses`)) {
      const body = readFileSync(new URL(`${dialect.id}/responses/${name}`, FIXTURES))
      const decoded = decodedFinish(dialect, body)
      if (decoded === null) continue
      const read = dialect.readFinish(body)
      if (read !== null) seen.add(decoded)
      // An answer that names no reason has none in the log; its client gets the nearest word of its own API.
      t.ok(read === decoded || (read === null && decoded !== 'length'), `${name} ${read} ${decoded}`)
    }
    for (const [body, finish] of WHOLES[dialect.id] ?? []) t.equal(dialect.readFinish(Buffer.from(body)), finish, body)
    t.ok(seen.size >= 2, [...seen].join(' '))
    t.end()
  })

  test(`${dialect.id}: what is no answer has no finish reason`, (t) => {
    for (const body of ['{}', '[]', '<html>', '{"data":[]}', '{']) t.equal(dialect.readFinish(Buffer.from(body)), null)
    t.end()
  })
}

function filesIn(folder: string): string[] {
  return readdirSync(new URL(`${folder}/`, FIXTURES)).sort()
}

function framesOf({ framing }: Dialect, bytes: Buffer): Buffer[] {
  const frames: Buffer[] = []
  const scanner = createFrameScanner(framing, (payload) => {
    if (payload.length > 0) frames.push(Buffer.from(payload))
  })
  scanner.push(bytes)
  scanner.end()
  return frames
}

function finishOf(dialect: Dialect, frames: readonly Buffer[]) {
  const at = target(dialect.id)
  let decoded: FinishReason | null = null
  const onEvent = (event: StreamEvent): void => {
    if (event.type === 'finish') decoded = event.reason
  }
  const decoder = dialect.createDecoder(onEvent, { fallback: FALLBACK, target: at })
  const observer = dialect.createObserver({ stripUsage: false, target: at })
  for (const frame of frames) {
    decoder.push(frame)
    observer.observe(frame)
  }
  decoder.end()
  return { decoded: decoded as FinishReason | null, observed: observer.finish }
}

/** Null for a fixture that is no answer. */
function decodedFinish(dialect: Dialect, body: Buffer): FinishReason | null {
  try {
    return dialect.decodeResponse(JSON.parse(body.toString('utf8')) as JsonObject, FALLBACK).finishReason
  } catch {
    return null
  }
}
