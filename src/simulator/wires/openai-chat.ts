// OpenAI chat completions as the vendor writes them (API reference "Chat", streaming events; read November 2026).
// Reasoning is sent as `reasoning_content`, as by DeepSeek and vLLM on this wire; OpenAI itself does not show it here.
import { type JsonObject, type JsonValue } from '../../model/json.js'
import { type Performance, type SimRequest, type SimTool } from '../persona.js'
import { numberOf, objectOf, objectsOf, type Refusal, type SimAnswer, type SimWire, stopsOf, textOf } from './wire.js'

const FINISH = { stop: 'stop', 'stop-sequence': 'stop', length: 'length', 'tool-calls': 'tool_calls' } as const

export const openaiChat: SimWire = {
  id: 'openai-chat',
  streamContentType: 'text/event-stream; charset=utf-8',
  paths: ['/v1/chat/completions', '/chat/completions'],
  listPath: '/v1/models',
  requiredHeader: null,
  readRequest,
  readKey: (headers) => headers('authorization').replace(/^bearer /i, ''),
  openStream: (answer) => {
    const chunk = chunkWriter(answer)
    const { includeUsage } = answer.request
    return {
      open: chunk('{"role":"assistant","content":"","refusal":null}', 'null'),
      steps: steps(answer, chunk),
      close: chunk('{}', `"${FINISH[answer.performance.finish]}"`) + (includeUsage ? usageChunk(answer) : ''),
      end: frame('[DONE]'),
    }
  },
  encodeWhole,
  encodeError,
  encodeErrorFrame: (message) => frame(encodeError(500, message)),
  encodeModelList: (models, createdSec) =>
    JSON.stringify({
      object: 'list',
      data: models.map((id) => ({ id, object: 'model', created: createdSec, owned_by: 'simulator' })),
    }),
  encodeFrame: frame,
  silence: ': \n\n',
}

function frame(payload: string): string {
  return `data: ${payload}\n\n`
}

function readRequest(body: JsonObject): SimRequest | Refusal {
  const model = body.model
  if (typeof model !== 'string') return refuse('you must provide a model parameter', null, null)
  if (body.messages === undefined) {
    return refuse("Missing required parameter: 'messages'.", 'messages', 'missing_required_parameter')
  }
  const messages = objectsOf(body.messages)
  if (messages.length === 0) {
    return refuse(
      "Invalid 'messages': empty array. Expected an array with minimum length 1.",
      'messages',
      'empty_array',
    )
  }
  const texts = messages.map((message) => textOf(message.content))
  const lastUser = messages.findLastIndex((message) => message.role === 'user')
  const lastTurn = messages.findLastIndex((message) => message.role !== 'tool')
  return {
    model,
    stream: body.stream === true,
    includeUsage: objectOf(body.stream_options).include_usage === true,
    promptBytes: texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0),
    lastUserText: texts[lastUser] ?? '',
    toolResults: lastTurn < messages.length - 1 ? texts.slice(lastTurn + 1) : null,
    tools: readTools(body),
    mustCall: body.tool_choice === 'required' || objectOf(body.tool_choice).type === 'function',
    maxTokens: numberOf(body.max_completion_tokens) ?? numberOf(body.max_tokens),
    stop: stopsOf(body.stop),
    schema: readSchema(objectOf(body.response_format)),
  }
}

function readTools(body: JsonObject): readonly SimTool[] {
  const choice = body.tool_choice
  if (choice === 'none') return []
  const named = objectOf(objectOf(choice).function).name
  const tools: SimTool[] = []
  for (const tool of objectsOf(body.tools)) {
    const definition = objectOf(tool.function)
    const name = definition.name
    if (typeof name !== 'string' || (named !== undefined && named !== name)) continue
    tools.push({ name, schema: definition.parameters ?? {} })
  }
  return body.parallel_tool_calls === false ? tools.slice(0, 1) : tools
}

function readSchema(format: JsonObject): JsonValue | null {
  if (format.type === 'json_object') return { type: 'object' }
  return format.type === 'json_schema' ? (objectOf(format.json_schema).schema ?? {}) : null
}

type ChunkWriter = (delta: string, finishReason: string) => string

/** All chunks of a stream share everything but delta and finish reason: built once. */
function chunkWriter(answer: SimAnswer): ChunkWriter {
  const { request } = answer
  const head = `data: {${sharedHead(answer, 'chat.completion.chunk')},"choices":[{"index":0,"delta":`
  const tail = request.includeUsage ? '}],"usage":null}\n\n' : '}]}\n\n'
  return (delta, finishReason) => `${head}${delta},"logprobs":null,"finish_reason":${finishReason}${tail}`
}

function sharedHead(answer: SimAnswer, object: string): string {
  const createdSec = Math.floor(answer.createdMs / 1000)
  const model = JSON.stringify(answer.request.model)
  return (
    `"id":"chatcmpl-${answer.id}","object":"${object}","created":${createdSec},"model":${model},` +
    '"service_tier":"default","system_fingerprint":"fp_simulator"'
  )
}

function* steps(answer: SimAnswer, chunk: ChunkWriter): Generator<string, void> {
  const { reasoning, text, calls } = answer.performance
  for (const token of reasoning) yield chunk(`{"reasoning_content":${JSON.stringify(token)}}`, 'null')
  for (const token of text) yield chunk(`{"content":${JSON.stringify(token)}}`, 'null')
  for (const [index, call] of calls.entries()) {
    const first = { index, id: callId(answer, index), type: 'function', function: { name: call.name, arguments: '' } }
    let opening = chunk(JSON.stringify({ tool_calls: [first] }), 'null')
    for (const piece of call.pieces) {
      yield opening + chunk(JSON.stringify({ tool_calls: [{ index, function: { arguments: piece } }] }), 'null')
      opening = ''
    }
  }
}

function callId(answer: SimAnswer, index: number): string {
  return `call_${answer.id.slice(0, 20)}${String(index).padStart(4, '0')}`
}

function usageChunk(answer: SimAnswer): string {
  const usage = JSON.stringify(usageOf(answer.performance))
  return frame(`{${sharedHead(answer, 'chat.completion.chunk')},"choices":[],"usage":${usage}}`)
}

function usageOf(performance: Performance): JsonObject {
  const { input, output, reasoning } = performance.usage
  return {
    prompt_tokens: input,
    completion_tokens: output,
    total_tokens: input + output,
    prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: reasoning,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  }
}

function encodeWhole(answer: SimAnswer): string {
  const { performance } = answer
  const message: JsonObject = {
    role: 'assistant',
    content: performance.calls.length > 0 ? null : performance.text.join(''),
    refusal: null,
    annotations: [],
  }
  if (performance.reasoning.length > 0) message.reasoning_content = performance.reasoning.join('')
  if (performance.calls.length > 0) {
    message.tool_calls = performance.calls.map((call, index) => ({
      id: callId(answer, index),
      type: 'function',
      function: { name: call.name, arguments: call.pieces.join('') },
    }))
  }
  const choice = { index: 0, message, logprobs: null, finish_reason: FINISH[performance.finish] }
  return (
    `{${sharedHead(answer, 'chat.completion')},"choices":[${JSON.stringify(choice)}],` +
    `"usage":${JSON.stringify(usageOf(performance))}}`
  )
}

function refuse(message: string, param: string | null, code: string | null): Refusal {
  return { status: 400, body: envelope(message, 'invalid_request_error', { param, code }) }
}

function encodeError(status: number, message: string): string {
  if (status === 401) return envelope(message, 'invalid_request_error', { code: 'invalid_api_key' })
  if (status === 404) return envelope(message, 'invalid_request_error', { code: 'model_not_found' })
  if (status === 429) return envelope(message, 'requests', { code: 'rate_limit_exceeded' })
  return envelope(message, status >= 500 ? 'server_error' : 'invalid_request_error', {})
}

type Where = { readonly param?: string | null; readonly code?: string | null }

function envelope(message: string, type: string, where: Where): string {
  return JSON.stringify({ error: { message, type, param: where.param ?? null, code: where.code ?? null } })
}
