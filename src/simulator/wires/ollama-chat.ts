// Ollama's /api/chat as the project documents it (docs/api.md; read November 2026): newline-delimited JSON, streamed unless
// `stream` is false, tool calls as whole objects, an error in the stream as a line with `error`.
import { type JsonObject, type JsonValue } from '../../model/json.js'
import { type SimRequest, type SimTool } from '../persona.js'
import { numberOf, objectOf, objectsOf, type Refusal, type SimAnswer, type SimWire, stopsOf, textOf } from './wire.js'

const FINISH = { stop: 'stop', 'stop-sequence': 'stop', length: 'length', 'tool-calls': 'stop' } as const
/** In nanoseconds; a fixed figure keeps answers deterministic. */
const DURATION_NS = 1_000_000
const DIGEST = '0'.repeat(64)

export const ollamaChat: SimWire = {
  id: 'ollama-chat',
  streamContentType: 'application/x-ndjson',
  paths: ['/api/chat'],
  listPath: '/api/tags',
  requiredHeader: null,
  readRequest,
  readKey: (headers) => headers('authorization').replace(/^bearer /i, ''),
  openStream: (answer) => ({ open: '', steps: steps(answer), close: '', end: `${JSON.stringify(last(answer, ''))}\n` }),
  encodeWhole: (answer) => {
    const { performance } = answer
    const message: JsonObject = { role: 'assistant', content: performance.text.join('') }
    if (performance.reasoning.length > 0) message.thinking = performance.reasoning.join('')
    if (performance.calls.length > 0) message.tool_calls = callsOf(answer)
    return JSON.stringify({ ...last(answer, ''), message })
  },
  encodeError: (_status, message) => JSON.stringify({ error: message }),
  encodeErrorFrame: (message) => `${JSON.stringify({ error: message })}\n`,
  encodeModelList: (models, createdSec) =>
    JSON.stringify({
      models: models.map((name) => ({
        name: `${name}:latest`,
        model: `${name}:latest`,
        modified_at: new Date(createdSec * 1000).toISOString(),
        size: 1,
        digest: DIGEST,
        details: {
          parent_model: '',
          format: 'gguf',
          family: 'simulator',
          families: ['simulator'],
          parameter_size: '0B',
        },
      })),
    }),
  encodeFrame: (payload) => `${payload}\n`,
  silence: '\n',
}

function readRequest(body: JsonObject): SimRequest | Refusal {
  const model = body.model
  if (typeof model !== 'string' || model === '') {
    return { status: 400, body: JSON.stringify({ error: 'model is required' }) }
  }
  const messages = objectsOf(body.messages)
  const options = objectOf(body.options)
  const texts = messages.map((message) => textOf(message.content))
  const lastUser = messages.findLastIndex((message) => message.role === 'user')
  const lastTurn = messages.findLastIndex((message) => message.role !== 'tool')
  const limit = numberOf(options.num_predict)
  return {
    model: model.replace(/:latest$/, ''),
    stream: body.stream !== false,
    includeUsage: true,
    promptBytes: texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0),
    lastUserText: texts[lastUser] ?? '',
    toolResults: lastTurn < messages.length - 1 ? texts.slice(lastTurn + 1) : null,
    tools: readTools(body),
    mustCall: false,
    // -1: no limit; -2: to the end of the context.
    maxTokens: limit !== null && limit >= 0 ? limit : null,
    stop: stopsOf(options.stop),
    schema: readSchema(body.format),
  }
}

function readTools(body: JsonObject): readonly SimTool[] {
  const tools: SimTool[] = []
  for (const tool of objectsOf(body.tools)) {
    const definition = objectOf(tool.function)
    const name = definition.name
    if (typeof name === 'string') tools.push({ name, schema: definition.parameters ?? {} })
  }
  return tools
}

function readSchema(format: JsonValue | undefined): JsonValue | null {
  if (format === 'json') return { type: 'object' }
  return typeof format === 'object' ? format : null
}

function* steps(answer: SimAnswer): Generator<string, void> {
  const { reasoning, text, calls } = answer.performance
  const head = `{"model":${JSON.stringify(answer.request.model)},"created_at":"${createdAt(answer)}",`
  for (const token of reasoning) {
    yield `${head}"message":{"role":"assistant","content":"","thinking":${JSON.stringify(token)}},"done":false}\n`
  }
  for (const token of text) {
    yield `${head}"message":{"role":"assistant","content":${JSON.stringify(token)}},"done":false}\n`
  }
  if (calls.length === 0) return
  const message = { role: 'assistant', content: '', tool_calls: callsOf(answer) }
  yield `${head}"message":${JSON.stringify(message)},"done":false}\n`
}

function callsOf(answer: SimAnswer): JsonObject[] {
  return answer.performance.calls.map((call) => ({ function: { name: call.name, arguments: call.args } }))
}

function last(answer: SimAnswer, content: string): JsonObject {
  const { finish, usage } = answer.performance
  return {
    model: answer.request.model,
    created_at: createdAt(answer),
    message: { role: 'assistant', content },
    done: true,
    done_reason: FINISH[finish],
    total_duration: DURATION_NS * 3,
    load_duration: DURATION_NS,
    prompt_eval_count: usage.input,
    prompt_eval_duration: DURATION_NS,
    eval_count: usage.output,
    eval_duration: DURATION_NS,
  }
}

function createdAt(answer: SimAnswer): string {
  return new Date(answer.createdMs).toISOString()
}
