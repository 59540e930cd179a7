// Responses: server-sent events, each with a type; the last one has the whole answer.
import { type ChatApi, type ChatReader, callOf, toolsMember } from '../chat-api.js'

const PATH = 'v1/responses'

export const RESPONSES: ChatApi = {
  id: 'responses',
  name: 'Responses',
  framing: 'sse',
  path: () => PATH,
  body: ({ model, prompt, tools }) => ({ model, stream: true, store: false, input: prompt, ...toolsMember(tools) }),
  streams: (path, { stream }) => path === `/${PATH}` && stream === true,
  read: readResponseEvent,
  textOf: {
    JavaScript: "event.type === 'response.output_text.delta' ? event.delta : ''",
    Python: 'event["delta"] if event.get("type") == "response.output_text.delta" else ""',
  },
}

type ResponseEvent = {
  readonly type?: string
  readonly delta?: string
  readonly message?: unknown
  readonly item?: { readonly type?: string; readonly name?: string }
  readonly response?: {
    readonly status?: string
    readonly usage?: { readonly output_tokens?: number } | null
    readonly incomplete_details?: { readonly reason?: string } | null
    readonly error?: { readonly message?: unknown } | null
  }
}

function readResponseEvent(data: string, reader: ChatReader): void {
  const { type = '', delta = '', message, item, response } = JSON.parse(data) as ResponseEvent
  if (type === 'response.output_item.added' && item?.type === 'function_call') reader.text('answer', callOf(item.name))
  if (/^response\.reasoning(_summary)?_text\.delta$/.test(type)) reader.text('thinking', delta)
  if (/^response\.(output_text|refusal|function_call_arguments)\.delta$/.test(type)) reader.text('answer', delta)
  if (type === 'error') reader.fail(message)
  if (type === 'response.failed') reader.fail(response?.error?.message)
  if (type !== 'response.completed' && type !== 'response.incomplete') return
  reader.finish(response?.incomplete_details?.reason ?? response?.status ?? '')
  if (typeof response?.usage?.output_tokens === 'number') reader.usage(response.usage.output_tokens)
  reader.close()
}
