// Embeddings for clients of this API: /api/embed, and its predecessor for one text, /api/embeddings. The first passes to a server of this
// API as it is.
//
//   {"model", "input": "text" | ["text", ...], "dimensions"?}     {"model", "embeddings": [[0.1], ...], "prompt_eval_count"}
//   {"model", "prompt": "text"}                                   {"embedding": [0.1]}
import { GatewayError } from '../../errors.js'
import { type EmbeddingsRequest, type EmbeddingsResponse } from '../../model/embeddings.js'
import { isJsonArray, type JsonObject } from '../../model/json.js'
import { believable } from '../../model/usage.js'
import { type RequestFacts, type Surface, type SurfaceEndpoint } from '../contract/protocol.js'
import { invalidField } from '../fields/field-error.js'
import { numberOf, stringOf, textOf } from '../scalars.js'
import { OLLAMA_WIRE } from './dialect/embeddings.js'
import { OllamaObserver } from './dialect/observer.js'
import { encodeError, encodeErrorLine } from './error.js'
import { findUsage } from './usage.js'

const MAX_MODEL_LENGTH = 256

type Form = {
  readonly id: string
  readonly path: string
  readonly wire: string
  readonly summary: string
  readonly member: string
  readonly example: JsonObject
  decode(body: JsonObject): EmbeddingsRequest
  encode(response: EmbeddingsResponse, echo: JsonObject): JsonObject
}

const FORMS: readonly Form[] = [
  {
    id: 'ollama-chat-embed',
    path: '/api/embed',
    wire: OLLAMA_WIRE,
    summary: 'Make vectors of texts',
    member: 'input',
    example: { model: 'nomic-embed-text', input: ['river', 'sea'] },
    decode: ({ input, dimensions }) => {
      const inputs = typeof input === 'string' ? [input] : input
      if (!isJsonArray(inputs) || inputs.length === 0 || inputs.some((text) => typeof text !== 'string')) {
        throw invalidField('input', 'must be a text or a list of texts')
      }
      return { inputs: inputs.map(String), dimensions: numberOf(dimensions), task: null, user: null }
    },
    encode: ({ vectors, usage }, echo) => ({
      model: echo.model ?? '',
      embeddings: vectors.map((vector) => [...vector]),
      prompt_eval_count: believable(usage)?.inputTokens ?? numberOf(echo.inputTokens) ?? 0,
    }),
  },
  {
    id: 'ollama-chat-embeddings',
    path: '/api/embeddings',
    // Older than what a server of this API is asked for: always translated.
    wire: 'ollama-before',
    summary: 'Make a vector of a text, in the older form',
    member: 'prompt',
    example: { model: 'nomic-embed-text', prompt: 'river' },
    decode: ({ prompt }) => {
      const text = stringOf(prompt)
      if (text === null) throw invalidField('prompt', 'must be a text')
      return { inputs: [text], dimensions: null, task: null, user: null }
    },
    encode: ({ vectors }) => ({ embedding: [...(vectors[0] ?? [])] }),
  },
]

/** Both surfaces. */
export const ollamaEmbeddings: readonly Surface[] = Object.freeze(FORMS.map(createSurface))

function createSurface(form: Form): Surface {
  const { id, path, wire, member } = form
  const endpoint: SurfaceEndpoint = {
    ...{ id: 'embeddings', wire, isText: false, isRepeatable: true },
    readUsage: findUsage,
    createObserver: () => new OllamaObserver(),
    embeddings: {
      decodeRequest: form.decode,
      readEcho: ({ model = null }) => ({ model }),
      encodeResponse: form.encode,
    },
  }
  function notTranslated(): never {
    throw new GatewayError('internal', { cause: new Error(`${id} is no chat`) })
  }
  return Object.freeze({
    id,
    routes: [{ method: 'POST' as const, path, prefix: 'ollamaPrefix' as const }],
    endpoint,
    framing: 'ndjson' as const,
    keepaliveFrame: '\n',
    promptMembers: [],
    readFacts: (body: JsonObject) => readFacts(body, wire),
    decodeRequest: notTranslated,
    createEncoder: notTranslated,
    encodeResponse: notTranslated,
    encodeError,
    encodeErrorFrame: encodeErrorLine,
    describe: () => ({
      title: 'Ollama',
      summary: form.summary,
      body: {
        type: 'object',
        required: ['model'],
        properties: { model: { type: 'string', minLength: 1, maxLength: MAX_MODEL_LENGTH }, [member]: {} },
      },
      examples: { example: form.example },
      answer: null,
    }),
  })
}

/** @throws invalid_request without the name of a model */
function readFacts({ model }: JsonObject, wire: string): RequestFacts {
  const name = textOf(model)
  if (name === null || name.length > MAX_MODEL_LENGTH) {
    throw invalidField('model', `must be a string of 1 to ${MAX_MODEL_LENGTH} characters`)
  }
  return {
    model: name,
    stream: false,
    includeUsage: true,
    maxOutputTokens: null,
    provider: null,
    prompt: null,
    endpoint: { id: 'embeddings', wire, isText: false, isRepeatable: true, asksStream: false, needs: [] },
  }
}
