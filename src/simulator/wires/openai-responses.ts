// OpenAI responses as the vendor writes them (API reference "Responses", "Streaming events"; read November 2026). Every event is numbered,
// and the last one repeats the whole response. Nothing is stored; reasoning is shown as a summary, with its encrypted form if requested.
import { type JsonObject, type JsonValue } from '../../model/json.js'
import { type Performance, type SimRequest, type SimTool } from '../persona.js'
import { numberOf, objectOf, objectsOf, type Refusal, type SimAnswer, type SimWire, textOf } from './wire.js'

const ENCRYPTED = 'reasoning.encrypted_content'

export const openaiResponses: SimWire = {
  id: 'openai-responses',
  streamContentType: 'text/event-stream; charset=utf-8',
  paths: ['/v1/responses', '/responses'],
  listPath: '/v1/models',
  requiredHeader: null,
  readRequest,
  readKey: (headers) => headers('authorization').replace(/^bearer /i, ''),
  openStream: (answer) => {
    const events = new EventWriter()
    const response = responseOf(answer, 'in_progress', [])
    const open = events.write('response.created', { response }) + events.write('response.in_progress', { response })
    // What the last item leaves open is written with the end, when all tokens are out.
    const state = { tail: '' }
    return {
      open,
      steps: steps(answer, events, state),
      get close() {
        return state.tail
      },
      get end() {
        return events.write(`response.${statusOf(answer)}`, { response: wholeOf(answer) })
      },
    }
  },
  encodeWhole: (answer) => JSON.stringify(wholeOf(answer)),
  encodeError,
  encodeErrorFrame: (message) =>
    frame('error', JSON.stringify({ type: 'error', code: 'server_error', message, param: null, sequence_number: 0 })),
  encodeModelList: (models, createdSec) =>
    JSON.stringify({
      object: 'list',
      data: models.map((id) => ({ id, object: 'model', created: createdSec, owned_by: 'simulator' })),
    }),
  encodeFrame: (payload) => frame('response.output_text.delta', payload),
  silence: ': \n\n',
}

function frame(name: string, payload: string): string {
  return `event: ${name}\ndata: ${payload}\n\n`
}

/** Numbers the events of one stream. */
class EventWriter {
  #sequence = 0

  write(type: string, members: JsonObject): string {
    const event = { type, sequence_number: this.#sequence, ...members }
    this.#sequence += 1
    return frame(type, JSON.stringify(event))
  }
}

function readRequest(body: JsonObject): SimRequest | Refusal {
  const model = body.model
  if (typeof model !== 'string') return refuse('you must provide a model parameter', null, null)
  if (body.input === undefined) {
    return refuse("Missing required parameter: 'input'.", 'input', 'missing_required_parameter')
  }
  const previous = body.previous_response_id
  if (typeof previous === 'string') {
    const message = `Previous response with id '${previous}' not found.`
    return refuse(message, 'previous_response_id', 'previous_response_not_found')
  }
  const items = typeof body.input === 'string' ? [{ role: 'user', content: body.input }] : objectsOf(body.input)
  const texts = items.map((item) => textOf(item.content ?? item.output))
  const lastUser = items.findLastIndex((item) => item.role === 'user')
  const lastTurn = items.findLastIndex((item) => !isResult(item))
  const system = textOf(body.instructions)
  return {
    model,
    stream: body.stream === true,
    // Usage is always included; what a request may include is the encrypted reasoning.
    includeUsage: Array.isArray(body.include) && body.include.includes(ENCRYPTED),
    promptBytes: texts.reduce((sum, text) => sum + Buffer.byteLength(text), Buffer.byteLength(system)),
    lastUserText: texts[lastUser] ?? '',
    toolResults: lastTurn < items.length - 1 ? texts.slice(lastTurn + 1) : null,
    tools: readTools(body),
    mustCall: body.tool_choice === 'required' || objectOf(body.tool_choice).name !== undefined,
    maxTokens: numberOf(body.max_output_tokens),
    stop: [],
    schema: readSchema(objectOf(objectOf(body.text).format)),
  }
}

function isResult({ type }: JsonObject): boolean {
  return type === 'function_call_output' || type === 'custom_tool_call_output'
}

/** Functions by their schema; a custom tool's schema is a string. */
function readTools(body: JsonObject): readonly SimTool[] {
  const choice = body.tool_choice
  if (choice === 'none') return []
  const named = objectOf(choice).name
  const tools: SimTool[] = []
  for (const tool of objectsOf(body.tools)) {
    const { name, type } = tool
    if (typeof name !== 'string' || (named !== undefined && named !== name)) continue
    if (type === 'function') tools.push({ name, schema: tool.parameters ?? {} })
    if (type === 'custom')
      tools.push({
        name: `${CUSTOM}${name}`,
        schema: { type: 'object', required: ['input'], properties: { input: { type: 'string' } } },
      })
  }
  return body.parallel_tool_calls === false ? tools.slice(0, 1) : tools
}

/** Marks the name of a custom tool between the request and the answer. */
const CUSTOM = 'custom\u0000'

function readSchema(format: JsonObject): JsonValue | null {
  if (format.type === 'json_object') return { type: 'object' }
  return format.type === 'json_schema' ? (format.schema ?? {}) : null
}

function statusOf({ performance }: SimAnswer): 'completed' | 'incomplete' {
  return performance.finish === 'length' ? 'incomplete' : 'completed'
}

function responseOf(answer: SimAnswer, status: string, output: JsonObject[]): JsonObject {
  return {
    id: `resp_${answer.id}`,
    object: 'response',
    created_at: Math.floor(answer.createdMs / 1000),
    completed_at: status === 'completed' ? Math.floor(answer.createdMs / 1000) : null,
    status,
    background: false,
    error: null,
    frequency_penalty: 0,
    incomplete_details: status === 'incomplete' ? { reason: 'max_output_tokens' } : null,
    instructions: null,
    max_output_tokens: answer.request.maxTokens,
    max_tool_calls: null,
    model: answer.request.model,
    output,
    parallel_tool_calls: true,
    presence_penalty: 0,
    previous_response_id: null,
    prompt_cache_key: null,
    reasoning: { effort: null, summary: null },
    safety_identifier: null,
    service_tier: 'default',
    store: false,
    temperature: 1,
    text: { format: { type: 'text' } },
    tool_choice: 'auto',
    tools: [],
    top_logprobs: 0,
    top_p: 1,
    truncation: 'disabled',
    usage: null,
    user: null,
    metadata: {},
  }
}

function wholeOf(answer: SimAnswer): JsonObject {
  return { ...responseOf(answer, statusOf(answer), itemsOf(answer)), usage: usageOf(answer.performance) }
}

function usageOf({ usage }: Performance): JsonObject {
  return {
    input_tokens: usage.input,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: usage.output,
    output_tokens_details: { reasoning_tokens: usage.reasoning },
    total_tokens: usage.input + usage.output,
  }
}

/** The finished items, in order. */
function itemsOf(answer: SimAnswer): JsonObject[] {
  const { reasoning, text, calls, finish } = answer.performance
  const items: JsonObject[] = []
  if (reasoning.length > 0) items.push(reasoningItem(answer, reasoning.join('')))
  const status = finish === 'length' ? 'incomplete' : 'completed'
  if (calls.length === 0) items.push(messageItem(answer, items.length, status, [textPart(text.join(''))]))
  for (const [at, call] of calls.entries())
    items.push(callItem(answer, { at, name: call.name, text: call.pieces.join('') }))
  return items
}

function reasoningItem(answer: SimAnswer, text: string | null): JsonObject {
  const summary = text === null ? [] : [{ type: 'summary_text', text }]
  const encrypted = text !== null && answer.request.includeUsage
  return {
    id: `rs_${answer.id}`,
    type: 'reasoning',
    ...(encrypted ? { encrypted_content: answer.performance.signature } : {}),
    summary,
  }
}

function messageItem(answer: SimAnswer, at: number, status: string, content: JsonObject[]): JsonObject {
  return { id: `msg_${answer.id}_${at}`, type: 'message', status, content, role: 'assistant' }
}

function textPart(text: string): JsonObject {
  return { type: 'output_text', annotations: [], logprobs: [], text }
}

type Call = { readonly at: number; readonly name: string; readonly text: string | null }

/** `text` null: a call that has just begun. */
function callItem(answer: SimAnswer, { at, name, text }: Call): JsonObject {
  const status = text === null ? 'in_progress' : 'completed'
  const callId = `call_${answer.id.slice(0, 20)}${String(at).padStart(4, '0')}`
  if (!name.startsWith(CUSTOM)) {
    return { id: `fc_${answer.id}_${at}`, type: 'function_call', status, arguments: text ?? '', call_id: callId, name }
  }
  const input = text === null ? '' : String(objectOf(JSON.parse(text)).input ?? '')
  const own = name.slice(CUSTOM.length)
  return { id: `ctc_${answer.id}_${at}`, type: 'custom_tool_call', status, call_id: callId, input, name: own }
}

function* steps(answer: SimAnswer, events: EventWriter, state: { tail: string }): Generator<string, void> {
  const { reasoning, text, calls } = answer.performance
  const items = itemsOf(answer)
  let index = 0
  const place = () => ({ item_id: items[index]?.id ?? '', output_index: index })
  const added = (item: JsonObject) => events.write('response.output_item.added', { output_index: index, item })
  const done = () => {
    const written = events.write('response.output_item.done', { output_index: index, item: items[index] ?? {} })
    index += 1
    return written
  }
  if (reasoning.length > 0) {
    const at = { ...place(), summary_index: 0 }
    const part = { type: 'summary_text', text: '' }
    let opening =
      added(reasoningItem(answer, null)) + events.write('response.reasoning_summary_part.added', { ...at, part })
    for (const delta of reasoning) {
      yield opening + events.write('response.reasoning_summary_text.delta', { ...at, delta })
      opening = ''
    }
    const whole = reasoning.join('')
    state.tail = events.write('response.reasoning_summary_text.done', { ...at, text: whole })
    state.tail +=
      events.write('response.reasoning_summary_part.done', { ...at, part: { ...part, text: whole } }) + done()
  }
  if (calls.length === 0) {
    const at = { ...place(), content_index: 0 }
    let opening = state.tail + added(messageItem(answer, index, 'in_progress', []))
    opening += events.write('response.content_part.added', { ...at, part: textPart('') })
    state.tail = opening
    for (const delta of text) {
      yield opening + events.write('response.output_text.delta', { ...at, delta, logprobs: [], obfuscation: 'xxxx' })
      opening = ''
      state.tail = ''
    }
    const whole = text.join('')
    state.tail += events.write('response.output_text.done', { ...at, text: whole, logprobs: [] })
    state.tail += events.write('response.content_part.done', { ...at, part: textPart(whole) }) + done()
  }
  for (const [at, call] of calls.entries()) {
    const isCustom = call.name.startsWith(CUSTOM)
    const here = place()
    const kind = isCustom ? 'response.custom_tool_call_input' : 'response.function_call_arguments'
    let opening = state.tail + added(callItem(answer, { at, name: call.name, text: null }))
    const item = items[index] ?? {}
    const pieces = isCustom ? [String(item.input)] : call.pieces
    for (const delta of pieces) {
      yield opening + events.write(`${kind}.delta`, { ...here, delta })
      opening = ''
    }
    const ending = isCustom ? { input: item.input ?? '' } : { arguments: item.arguments ?? '', name: call.name }
    state.tail = events.write(`${kind}.done`, { ...here, ...ending }) + done()
  }
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
