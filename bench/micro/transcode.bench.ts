// How long does it take to translate one delta: payload in, the client's frame out? Beside it: JSON.parse and JSON.stringify of
// a delta, which is what the least careful gateway would do.
import { type StreamEvent } from '../../src/model/event.js'
import { anthropicMessages } from '../../src/protocols/anthropic-messages/index.js'
import { type Protocol, type StreamDecoder } from '../../src/protocols/contract/protocol.js'
import { googleGemini } from '../../src/protocols/google-gemini/index.js'
import { ollamaChat } from '../../src/protocols/ollama-chat/index.js'
import { openaiChat } from '../../src/protocols/openai-chat/index.js'
import { openaiResponses } from '../../src/protocols/openai-responses/index.js'
import { testTarget } from '../../test/helpers/targets.js'
import { measure, printTable } from './measure.js'

const FALLBACK = { id: 'req_1', model: 'shown', createdSec: 1_700_000_000, usage: null }
const CHUNK = '{"id":"c1","object":"chat.completion.chunk","created":1763712000,"model":"large","choices":[{"index":0,'
const OPENAI = {
  opening: `${CHUNK}"delta":{"role":"assistant","content":""},"finish_reason":null}]}`,
  delta: `${CHUNK}"delta":{"content":" consectetur"},"logprobs":null,"finish_reason":null}]}`,
  call: `${CHUNK}"delta":{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"write","arguments":""}}]},"logprobs":null,"finish_reason":null}]}`,
  fragment: `${CHUNK}"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\\"words\\":"}}]},"logprobs":null,"finish_reason":null}]}`,
}
const ANTHROPIC = {
  opening:
    '{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"large","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":9,"output_tokens":1}}}',
  delta: '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" consectetur"}}',
}
const RESPONSES = {
  opening: [
    '{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","model":"large","created_at":1763712000,"output":[]}}',
    '{"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"id":"msg_1","type":"message","role":"assistant","content":[]}}',
  ],
  delta:
    '{"type":"response.output_text.delta","sequence_number":4,"item_id":"msg_1","output_index":0,"content_index":0,"delta":" consectetur","logprobs":[],"obfuscation":"Tq2w"}',
}
const BLOCK = '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}'
const GEMINI =
  '{"candidates":[{"content":{"parts":[{"text":" consectetur"}],"role":"model"},"index":0}],"modelVersion":"large"}'
const OLLAMA =
  '{"model":"large","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":" consectetur"},"done":false}'

const written = { chars: 0 }

/** A stream between two protocols with all that comes before its deltas already sent. */
function openStream(upstream: Protocol, client: Protocol, before: readonly string[]): StreamDecoder {
  const { dialect } = upstream
  const { surface } = client
  if (dialect === null || surface === null) throw new Error('only half a protocol')
  const encoder = surface.createEncoder(
    (frame) => {
      written.chars += frame.length
    },
    { includeUsage: true },
  )
  const emit = (event: StreamEvent): void => encoder.push(event)
  const decoder = dialect.createDecoder(emit, { fallback: FALLBACK, target: testTarget(upstream.id) })
  for (const payload of before) decoder.push(Buffer.from(payload))
  return decoder
}

function measureDelta(name: string, decoder: StreamDecoder, delta: string) {
  const payload = Buffer.from(delta)
  const before = written.chars
  decoder.push(payload)
  if (written.chars === before) throw new Error(`${name}: nothing came out`)
  return measure(name, () => decoder.push(payload))
}

const opening = [ANTHROPIC.opening, BLOCK]
const call = [OPENAI.opening, OPENAI.call]
printTable('one delta', [
  measureDelta('anthropic -> openai', openStream(anthropicMessages, openaiChat, opening), ANTHROPIC.delta),
  measureDelta('openai -> anthropic', openStream(openaiChat, anthropicMessages, [OPENAI.opening]), OPENAI.delta),
  measureDelta('openai -> responses', openStream(openaiChat, openaiResponses, [OPENAI.opening]), OPENAI.delta),
  measureDelta('openai -> anthropic, tool', openStream(openaiChat, anthropicMessages, call), OPENAI.fragment),
  measureDelta('openai -> responses, tool', openStream(openaiChat, openaiResponses, call), OPENAI.fragment),
  measureDelta('anthropic -> responses', openStream(anthropicMessages, openaiResponses, opening), ANTHROPIC.delta),
  measureDelta(
    'responses -> anthropic',
    openStream(openaiResponses, anthropicMessages, RESPONSES.opening),
    RESPONSES.delta,
  ),
  measureDelta('gemini -> openai', openStream(googleGemini, openaiChat, []), GEMINI),
  measureDelta('ollama -> openai', openStream(ollamaChat, openaiChat, []), OLLAMA),
  measure('JSON.parse + JSON.stringify', () => {
    written.chars += JSON.stringify(JSON.parse(OPENAI.delta)).length
  }),
])
