// Embeddings for clients of this API: one text by :embedContent, several by :batchEmbedContents. Both are translated for every provider, this
// vendor's included, whose answer has the same vectors.
//
//   {"content": {"parts": [{"text"}]}, "taskType"?, "title"?, "outputDimensionality"?}       {"embedding": {"values": [0.1]}}
//   {"requests": [{"model", "content", ...}, ...]}                                           {"embeddings": [{"values": [0.1]}, ...]}

import { GatewayError } from '../../errors.js'
import { type EmbeddingsRequest, type EmbeddingsResponse } from '../../model/embeddings.js'
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../../model/json.js'
import { encodeSseFrame } from '../../wire/sse.js'
import { type RequestFacts, type Surface, type SurfaceEndpoint } from '../contract/protocol.js'
import { type EmbeddingsSurface } from '../endpoints/endpoint.js'
import { demand, invalidField, notCarried, type Validator } from '../fields/field-error.js'
import { LateValidator } from '../fields/late-validator.js'
import { numberOf, stringOf, textOf } from '../scalars.js'
import { GeminiObserver } from './dialect/observer.js'
import { encodeError, encodeStatus } from './surface/encode-error.js'
import { spellFields } from './surface/field-names.js'

/** Of no provider: every request is translated. */
const WIRE = 'google-gemini-clients'

type Form = {
  readonly id: string
  readonly method: string
  readonly summary: string
  /** JSON Schema of a body. */
  readonly body: JsonObject
  readonly example: JsonObject
  /** The requests of a body, each with its dotted path. */
  list(body: JsonObject): (readonly [path: string, request: JsonObject])[]
  encode(response: EmbeddingsResponse): JsonObject
}

const CONTENT = { parts: [{ text: 'river' }] }
const PART = { type: 'object', properties: { text: { type: ['string', 'null'] } } }
/** One request, in one spelling; one part may stand for a list of it. */
const REQUEST = {
  type: 'object',
  required: ['content'],
  properties: {
    content: {
      type: 'object',
      required: ['parts'],
      properties: { parts: { anyOf: [{ type: 'array', items: PART }, PART] } },
    },
    outputDimensionality: { type: ['integer', 'null'], minimum: 1 },
    taskType: { type: ['string', 'null'] },
    title: { type: ['string', 'null'] },
  },
}
const BATCH = {
  type: 'object',
  required: ['requests'],
  properties: { requests: { type: 'array', minItems: 1, items: REQUEST } },
}

const FORMS: readonly Form[] = [
  {
    id: 'google-gemini-embed',
    method: 'embedContent',
    summary: 'Make a vector of a text',
    body: REQUEST,
    example: { content: CONTENT, outputDimensionality: 256 },
    list: (body) => [['', body]],
    encode: ({ vectors }) => ({ embedding: { values: [...(vectors[0] ?? [])] } }),
  },
  {
    id: 'google-gemini-batch-embed',
    method: 'batchEmbedContents',
    summary: 'Make vectors of several texts',
    body: BATCH,
    example: { requests: [{ model: 'models/gemini-embedding-001', content: CONTENT }] },
    list: ({ requests }) =>
      (isJsonArray(requests) ? requests : []).flatMap((request, at) =>
        isJsonObject(request) ? [[`requests.${at}.`, request] as const] : [],
      ),
    encode: ({ vectors }) => ({ embeddings: vectors.map((vector) => ({ values: [...vector] })) }),
  },
]

/** Both surfaces. */
export const geminiEmbeddings: readonly Surface[] = Object.freeze(FORMS.map(createSurface))

function createSurface(form: Form): Surface {
  const { id, method } = form
  const validator: Validator = new LateValidator(form.body)
  const embeddings: EmbeddingsSurface = {
    decodeRequest: (body) => decodeRequest(spellFields(body), form),
    readEcho: () => ({}),
    encodeResponse: form.encode,
  }
  const endpoint: SurfaceEndpoint = {
    id: 'embeddings',
    wire: WIRE,
    isText: false,
    isRepeatable: true,
    readUsage: () => null,
    createObserver: () => new GeminiObserver(),
    embeddings,
  }
  function notTranslated(): never {
    throw new GatewayError('internal', { cause: new Error(`${id} is no chat`) })
  }
  return Object.freeze({
    id,
    routes: ['v1beta', 'v1'].map((version) => ({
      method: 'POST' as const,
      path: `/${version}/models/{model}:${method}`,
    })),
    endpoint,
    keyParameter: 'key',
    framing: 'sse' as const,
    keepaliveFrame: ': ping\n\n',
    promptMembers: [],
    readFacts: (body: JsonObject) => {
      demand(validator, spellFields(body), '')
      return FACTS
    },
    decodeRequest: notTranslated,
    createEncoder: notTranslated,
    encodeResponse: notTranslated,
    encodeError,
    encodeErrorFrame: (error) => encodeSseFrame(JSON.stringify(encodeStatus(error))),
    describe: () => ({
      title: 'Gemini',
      summary: form.summary,
      body: form.body,
      examples: { example: form.example },
      answer: null,
    }),
  })
}

/** The model is in the path; everything else is read when it is translated. */
const FACTS: RequestFacts = Object.freeze<RequestFacts>({
  model: '',
  stream: false,
  includeUsage: true,
  maxOutputTokens: null,
  provider: null,
  prompt: null,
  endpoint: { id: 'embeddings', wire: WIRE, isText: false, isRepeatable: true, asksStream: false, needs: [] },
})

/** All requests of one body ask for the same kind of vector, as no provider makes several at once. */
function decodeRequest(body: JsonObject, form: Form): EmbeddingsRequest {
  let first: Options | null = null
  const inputs = form.list(body).map(([path, request]) => {
    const options = readOptions(request)
    first ??= options
    if (JSON.stringify(options) !== JSON.stringify(first)) {
      throw invalidField(path.slice(0, -1), 'must have the same options as the first one')
    }
    return readText(request.content, `${path}content`)
  })
  const { dimensions, type, title } = first ?? NO_OPTIONS
  return { inputs, dimensions, task: type === null ? null : { type, title }, user: null }
}

type Options = { readonly dimensions: number | null; readonly type: string | null; readonly title: string | null }
const NO_OPTIONS: Options = { dimensions: null, type: null, title: null }

function readOptions({ outputDimensionality, taskType, title }: JsonObject): Options {
  return { dimensions: numberOf(outputDimensionality), type: textOf(taskType), title: textOf(title) }
}

function readText(content: JsonValue | undefined, path: string): string {
  const parts = isJsonObject(content) && isJsonArray(content.parts) ? content.parts : []
  const texts = parts.map((part, at) => {
    const text = isJsonObject(part) ? stringOf(part.text) : null
    if (text === null) throw notCarried(`${path}.parts.${at}`, 'no text')
    return text
  })
  return texts.join('\n')
}
