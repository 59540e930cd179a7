// What the generators ask: one chat in the words of five APIs. A gateway is asked in its client's API, all others in the
// upstream's own, so that both bring the same events of the same upstream.
import { agentMembers } from './agent-request.js'
import { type Contender } from './contenders.js'

export type Api = 'openai' | 'responses' | 'anthropic' | 'gemini' | 'ollama'

export type Ask = {
  /** Null: the same as the upstream's. */
  readonly client?: 'openai' | 'responses' | 'anthropic'
  readonly upstream?: Api
  /** Tokens to answer; streamed, each is an event. */
  readonly tokens: number
  /** Default true. */
  readonly stream?: boolean
  /** Arguments of a tool call instead of text, as many pieces as `tokens`. */
  readonly isTool?: boolean
  /** Length of the prompt. */
  readonly promptBytes?: number
  /** A coding agent's conversation and tools instead, in OpenAI's form. */
  readonly isAgent?: boolean
}

export type BenchRequest = {
  readonly origin: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** Stands once in each event of the answer. */
  readonly marker: string
  /** Stands first in the first event with content. */
  readonly contentMarker: string
  /** Stands near the end of a whole stream. */
  readonly end: string
}

/** The simulator cuts arguments into pieces of this length. */
const TOOL_PIECE = 8
const TOOL_WRAP = '{"text":""}'.length

/** The request that this contender needs to bring this answer. */
export function requestFor(contender: Contender, ask: Ask): BenchRequest {
  const { upstream = ask.client ?? 'openai' } = ask
  const api = contender.isGateway ? (ask.client ?? 'openai') : upstream
  const persona = ask.isTool === true ? 'tools' : 'lorem-max'
  const model = contender.isGateway ? `${upstream}/${persona}` : persona
  const spoken = SPOKEN[api]
  return {
    ...{ origin: contender.origin, path: spoken.path(model), headers: { ...spoken.headers, ...contender.headers } },
    body: JSON.stringify(spoken.body(model, ask)),
    ...{ marker: spoken.marker, contentMarker: spoken.contentMarker, end: spoken.end },
  }
}

type Spoken = Pick<BenchRequest, 'marker' | 'contentMarker' | 'end'> & {
  readonly headers: Readonly<Record<string, string>>
  path(model: string): string
  body(model: string, ask: Ask): object
}

const SPOKEN: Readonly<Record<Api, Spoken>> = {
  openai: {
    ...{ headers: {}, marker: 'data: ', contentMarker: '"delta":{"content"', end: 'data: [DONE]' },
    path: () => '/v1/chat/completions',
    body: (model, ask) => ({
      ...{ model, max_tokens: ask.tokens, messages: messagesOf(ask) },
      // Usage is asked for by the client, so that no frame has to be taken out and bytes can be compared with the upstream's.
      ...(ask.stream === false ? {} : { stream: true, stream_options: { include_usage: true } }),
      ...(ask.isTool === true ? { tools: [{ type: 'function', function: toolOf(ask) }] } : {}),
      ...(ask.isAgent === true ? agentMembers() : {}),
    }),
  },
  responses: {
    ...{ headers: {}, marker: 'data: ', contentMarker: 'output_text.delta', end: '"truncation"' },
    path: () => '/v1/responses',
    // Not stored: what is measured is the way of a stream.
    body: (model, ask) => ({
      ...{ model, stream: ask.stream !== false, store: false, max_output_tokens: ask.tokens, input: promptOf(ask) },
      ...(ask.isTool === true ? { tools: [{ type: 'function', ...toolOf(ask) }] } : {}),
    }),
  },
  anthropic: {
    headers: { 'anthropic-version': '2023-06-01' },
    ...{ marker: 'data: ', contentMarker: 'content_block_delta', end: 'message_stop' },
    path: () => '/v1/messages',
    body: (model, ask) => {
      const { name, parameters } = toolOf(ask)
      return {
        ...{ model, stream: ask.stream !== false, max_tokens: ask.tokens, messages: messagesOf(ask) },
        ...(ask.isTool === true ? { tools: [{ name, input_schema: parameters }] } : {}),
      }
    },
  },
  gemini: {
    ...{ headers: {}, marker: 'data: ', contentMarker: 'data: ', end: 'usageMetadata' },
    path: (model) => `/v1beta/models/${model}:streamGenerateContent?alt=sse`,
    body: (_model, ask) => ({
      contents: [{ role: 'user', parts: [{ text: promptOf(ask) }] }],
      generationConfig: { maxOutputTokens: ask.tokens },
    }),
  },
  ollama: {
    ...{ headers: {}, marker: '"done":', contentMarker: '"done":', end: '"done":true' },
    path: () => '/api/chat',
    body: (model, ask) => ({ model, messages: messagesOf(ask), options: { num_predict: ask.tokens } }),
  },
}

function messagesOf(ask: Ask): object[] {
  return [{ role: 'user', content: promptOf(ask) }]
}

function promptOf({ promptBytes = 16 }: Ask): string {
  return 'word '.repeat(Math.ceil(promptBytes / 5)).slice(0, promptBytes)
}

/** A tool that the simulated model calls with arguments of `tokens` pieces. */
function toolOf({ tokens }: Ask) {
  const text = 'x'.repeat(Math.max(1, tokens * TOOL_PIECE - TOOL_WRAP))
  return { name: 'write', parameters: { type: 'object', properties: { text: { enum: [text] } }, required: ['text'] } }
}
