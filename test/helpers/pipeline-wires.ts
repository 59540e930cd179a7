// One stream and one whole answer of each wire, as tests of the pipeline play them, and the surfaces that read them.
import { type JsonObject } from '../../src/model/json.js'
import { type Dialect, type Surface } from '../../src/protocols/contract/protocol.js'
import { ENDPOINTS, PROTOCOLS } from '../../src/protocols/index.js'

export const OPENAI = 'openai-chat'

export const ANTHROPIC = 'anthropic-messages'

/** A stream of each wire, frame by frame: a head without content, content, the end with usage, the end marker. */
export const STREAMS = {
  [OPENAI]: {
    head: chunk({ role: 'assistant', content: '' }),
    content: [chunk({ content: 'Hel' }), chunk({ content: 'lo, ' }), chunk({ content: 'you' })],
    finish: `${chunk({}, 'stop')}${sse({ ...CHUNK(), choices: [], usage: { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 } })}`,
    marker: 'data: [DONE]\n\n',
    endMarker: '[DONE]',
    failure: sse({ error: { message: 'It broke.', type: 'server_error', code: 'server_error' } }),
  },
  [ANTHROPIC]: {
    head: `${event({
      type: 'message_start',
      message: {
        id: 'msg_1',
        type: 'message',
        role: 'assistant',
        model: 'up',
        content: [],
        stop_reason: null,
        stop_sequence: null,
        usage: { input_tokens: 11, output_tokens: 1 },
      },
    })}${event({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } })}`,
    content: ['Hel', 'lo, ', 'you'].map((text) =>
      event({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } }),
    ),
    finish: `${event({ type: 'content_block_stop', index: 0 })}${event({
      type: 'message_delta',
      delta: { stop_reason: 'end_turn', stop_sequence: null },
      usage: { output_tokens: 7 },
    })}`,
    marker: event({ type: 'message_stop' }),
    endMarker: 'message_stop',
    failure: event({ type: 'error', error: { type: 'api_error', message: 'It broke.' } }),
  },
} as const

export type Wire = keyof typeof STREAMS

/** A whole answer of each wire. */
export const WHOLES: Readonly<Record<Wire, string>> = {
  [OPENAI]: JSON.stringify({
    ...CHUNK(),
    object: 'chat.completion',
    choices: [{ index: 0, message: { role: 'assistant', content: 'Hello, you' }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 },
  }),
  [ANTHROPIC]: JSON.stringify({
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: 'up',
    content: [{ type: 'text', text: 'Hello, you' }],
    stop_reason: 'end_turn',
    stop_sequence: null,
    usage: { input_tokens: 11, output_tokens: 7 },
  }),
}

function CHUNK(): JsonObject {
  return { id: 'c1', object: 'chat.completion.chunk', created: 1, model: 'up' }
}

function chunk(delta: JsonObject, finishReason: string | null = null): string {
  return sse({ ...CHUNK(), choices: [{ index: 0, delta, finish_reason: finishReason }] })
}

function sse(value: JsonObject): string {
  return `data: ${JSON.stringify(value)}\n\n`
}

export function event(value: JsonObject): string {
  return `event: ${value.type}\n${sse(value)}`
}

export const DIALECTS: ReadonlyMap<string, Dialect> = new Map(
  PROTOCOLS.flatMap(({ id, dialect }) => (dialect === null ? [] : [[id, dialect] as const])),
)

export function surfaceOf(wire: string): Surface {
  const surface = [...PROTOCOLS.map((each) => each.surface), ...ENDPOINTS].find((each) => each?.id === wire)
  if (surface === null || surface === undefined) throw new Error(`no surface ${wire}`)
  return surface
}
