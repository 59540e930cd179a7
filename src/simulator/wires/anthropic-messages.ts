// Anthropic messages as the vendor writes them (API reference "Messages", "Streaming messages"; read November 2026).
// Input is counted in message_start, output in message_delta, where it is cumulative.
import { type JsonObject, type JsonValue } from '../../model/json.js'
import { type Performance, type SimRequest, type SimTool } from '../persona.js'
import { numberOf, objectOf, objectsOf, type Refusal, type SimAnswer, type SimWire, stopsOf, textOf } from './wire.js'

const FINISH = {
  stop: 'end_turn',
  'stop-sequence': 'stop_sequence',
  length: 'max_tokens',
  'tool-calls': 'tool_use',
} as const
const ERROR_TYPES: Readonly<Record<number, string>> = Object.freeze({
  400: 'invalid_request_error',
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  504: 'timeout_error',
  529: 'overloaded_error',
})

export const anthropicMessages: SimWire = {
  id: 'anthropic-messages',
  streamContentType: 'text/event-stream; charset=utf-8',
  paths: ['/v1/messages', '/messages'],
  listPath: '/v1/models',
  requiredHeader: 'anthropic-version',
  readRequest,
  readKey: (headers) => headers('x-api-key') || headers('authorization').replace(/^bearer /i, ''),
  openStream: (answer) => ({
    open: openFrames(answer),
    steps: steps(answer),
    close: closeFrames(answer),
    end: event('message_stop', '{"type":"message_stop"}'),
  }),
  encodeWhole: (answer) =>
    JSON.stringify({ ...message(answer), ...ending(answer), usage: usageOf(answer.performance) }),
  encodeError,
  encodeErrorFrame: (text) =>
    event('error', JSON.stringify({ type: 'error', error: { type: 'overloaded_error', message: text } })),
  encodeModelList: (models, createdSec) =>
    JSON.stringify({
      data: models.map((id) => ({
        type: 'model',
        id,
        display_name: id,
        created_at: new Date(createdSec * 1000).toISOString(),
      })),
      has_more: false,
      first_id: models[0] ?? null,
      last_id: models.at(-1) ?? null,
    }),
  encodeFrame: (payload) => event('content_block_delta', payload),
  silence: ': \n\n',
}

function event(name: string, data: string): string {
  return `event: ${name}\ndata: ${data}\n\n`
}

function readRequest(body: JsonObject): SimRequest | Refusal {
  const model = body.model
  if (typeof model !== 'string') return refuse('model: Field required')
  if (body.messages === undefined) return refuse('messages: Field required')
  const maxTokens = numberOf(body.max_tokens)
  if (maxTokens === null) return refuse('max_tokens: Field required')
  const messages = objectsOf(body.messages)
  if (messages.length === 0) return refuse('messages: at least one message is required')
  const system = textOf(body.system)
  const texts = messages.map((turn) => textOf(turn.content))
  const lastUser = messages.findLastIndex((turn) => turn.role === 'user')
  const lastBlocks = objectsOf(messages[lastUser]?.content)
  const results = lastBlocks.filter((block) => block.type === 'tool_result')
  return {
    model,
    stream: body.stream === true,
    includeUsage: true,
    promptBytes: texts.reduce((sum, text) => sum + Buffer.byteLength(text), Buffer.byteLength(system)),
    lastUserText: texts[lastUser] ?? '',
    toolResults: results.length > 0 ? results.map((block) => textOf(block.content)) : null,
    tools: readTools(body),
    mustCall: ['any', 'tool'].includes(String(objectOf(body.tool_choice).type)),
    maxTokens,
    stop: stopsOf(body.stop_sequences),
    schema: readSchema(body),
  }
}

function readTools(body: JsonObject): readonly SimTool[] {
  const choice = objectOf(body.tool_choice)
  if (choice.type === 'none') return []
  const tools: SimTool[] = []
  for (const tool of objectsOf(body.tools)) {
    const name = tool.name
    if (typeof name !== 'string' || (choice.type === 'tool' && choice.name !== name)) continue
    tools.push({ name, schema: tool.input_schema ?? {} })
  }
  return choice.disable_parallel_tool_use === true ? tools.slice(0, 1) : tools
}

function readSchema(body: JsonObject): JsonValue | null {
  const format = objectOf(objectOf(body.output_config).format ?? body.output_format)
  return format.type === 'json_schema' ? (format.schema ?? {}) : null
}

/** All members of a message that are known before the first token. */
function message(answer: SimAnswer): JsonObject {
  return { id: `msg_${answer.id}`, type: 'message', role: 'assistant', model: answer.request.model }
}

function ending(answer: SimAnswer): JsonObject {
  const { performance } = answer
  const content: JsonObject[] = []
  if (performance.reasoning.length > 0) {
    content.push({ type: 'thinking', thinking: performance.reasoning.join(''), signature: performance.signature })
  }
  if (performance.text.length > 0) content.push({ type: 'text', text: performance.text.join('') })
  for (const [index, call] of performance.calls.entries()) {
    content.push({ type: 'tool_use', id: callId(answer, index), name: call.name, input: call.args })
  }
  return { content, stop_reason: FINISH[performance.finish], stop_sequence: performance.stopSequence }
}

function usageOf(performance: Performance): JsonObject {
  return {
    input_tokens: performance.usage.input,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
    output_tokens: performance.usage.output,
    service_tier: 'standard',
  }
}

function openFrames(answer: SimAnswer): string {
  const usage = { ...usageOf(answer.performance), output_tokens: 1 }
  const start = { ...message(answer), content: [], stop_reason: null, stop_sequence: null, usage }
  return (
    event('message_start', JSON.stringify({ type: 'message_start', message: start })) + event('ping', '{"type":"ping"}')
  )
}

function* steps(answer: SimAnswer): Generator<string, void> {
  const { reasoning, text, calls, signature } = answer.performance
  let index = 0
  let opening = startOf(index, { type: 'thinking', thinking: '', signature: '' })
  for (const token of reasoning) {
    yield opening + deltaOf(index, 'thinking_delta', `"thinking":${JSON.stringify(token)}`)
    opening = ''
  }
  let closing = ''
  if (reasoning.length > 0) {
    closing = deltaOf(index, 'signature_delta', `"signature":"${signature}"`) + stopOf(index)
    index += 1
  }
  opening = closing + startOf(index, { type: 'text', text: '' })
  for (const token of text) {
    yield opening + deltaOf(index, 'text_delta', `"text":${JSON.stringify(token)}`)
    opening = ''
  }
  if (text.length > 0) {
    closing = stopOf(index)
    index += 1
  }
  for (const [at, call] of calls.entries()) {
    opening = closing + startOf(index, { type: 'tool_use', id: callId(answer, at), name: call.name, input: {} })
    opening += deltaOf(index, 'input_json_delta', '"partial_json":""')
    for (const piece of call.pieces) {
      yield opening + deltaOf(index, 'input_json_delta', `"partial_json":${JSON.stringify(piece)}`)
      opening = ''
    }
    closing = stopOf(index)
    index += 1
  }
}

/** Ends the last block. Without a token no block has begun. */
function closeFrames(answer: SimAnswer): string {
  const { reasoning, text, calls, finish, stopSequence, usage, signature } = answer.performance
  const blocks = (reasoning.length > 0 ? 1 : 0) + (text.length > 0 ? 1 : 0) + calls.length
  const isThinkingLast = blocks === 1 && reasoning.length > 0
  const sign = isThinkingLast ? deltaOf(0, 'signature_delta', `"signature":"${signature}"`) : ''
  const delta = { stop_reason: FINISH[finish], stop_sequence: stopSequence }
  const data = { type: 'message_delta', delta, usage: { output_tokens: usage.output } }
  return (blocks > 0 ? sign + stopOf(blocks - 1) : '') + event('message_delta', JSON.stringify(data))
}

function startOf(index: number, block: JsonObject): string {
  return event('content_block_start', JSON.stringify({ type: 'content_block_start', index, content_block: block }))
}

function deltaOf(index: number, type: string, member: string): string {
  return event(
    'content_block_delta',
    `{"type":"content_block_delta","index":${index},"delta":{"type":"${type}",${member}}}`,
  )
}

function stopOf(index: number): string {
  return event('content_block_stop', `{"type":"content_block_stop","index":${index}}`)
}

function callId(answer: SimAnswer, index: number): string {
  return `toolu_${answer.id.slice(0, 20)}${String(index).padStart(4, '0')}`
}

function refuse(text: string): Refusal {
  return { status: 400, body: encodeError(400, text) }
}

function encodeError(status: number, text: string): string {
  const type = ERROR_TYPES[status] ?? (status >= 500 ? 'api_error' : 'invalid_request_error')
  return JSON.stringify({ type: 'error', error: { type, message: text }, request_id: 'req_simulator' })
}
