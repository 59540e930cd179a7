// A surface that is no chat, made of a row that describes an endpoint. Errors and the gateway's own frames have the form of the vendor's
// chats; of a request only the model, the routing field and what the limits depend on is read, the rest is the provider's to check.
import { GatewayError } from '../../errors.js'
import { type EndpointId } from '../../model/endpoint.js'
import { countAnswers } from '../../model/estimate.js'
import { type JsonObject, type JsonValue } from '../../model/json.js'
import { type SurfaceDescription } from '../contract/description.js'
import { type RequestFacts, type Surface, type SurfaceEndpoint } from '../contract/protocol.js'
import { type EmbeddingsSurface, type EndpointFacts, type EndpointNeed } from '../endpoints/endpoint.js'
import { type ReadForm, readForm } from '../endpoints/form.js'
import { encodeError, encodeErrorFrame } from '../openai-error.js'
import { OPENAI_WIRE } from '../openai-upstream.js'
import { textOf } from '../scalars.js'
import { EndpointObserver } from './observer.js'
import { readAudioUsage, readImageUsage, readUsage } from './usage.js'

/** What is particular to an endpoint. */
export type EndpointRow = {
  readonly id: EndpointId
  /** Of its surface: the label in metrics and log. */
  readonly surfaceId: string
  readonly title: string
  readonly summary: string
  /** The model of a request that names none, as the API has it; absent: it is required. */
  readonly defaultModel?: string
  /** The answer is text that a model generates: its cap and number. Absent for all else. */
  readonly readOutput?: (body: JsonObject) => { readonly maxOutputTokens: number; readonly answers: number }
  readonly isRepeatable?: boolean
  /** A stream that has no end marker is not complete, however its body ended. */
  readonly needsMarker?: boolean
  /** The answer is a stream, of frames or of bytes. */
  readonly asksStream?: (body: JsonObject) => boolean
  readonly readNeeds?: (body: JsonObject) => readonly EndpointNeed[]
  readonly embeddings?: EmbeddingsSurface
  /** For the API's document: what the other members are. The provider checks them. */
  readonly members: Readonly<Record<string, string>>
  readonly example: JsonObject
  /** Media type of an answer that is neither JSON nor frames. */
  readonly bytes?: string
  /** Bodies may be forms; `images`: with files that cost tokens. */
  readonly form?: 'images' | 'audio'
  /** What its answers have besides tokens that has a price. */
  readonly units?: 'images' | 'audio'
}

/** The longest name of a model. */
const MAX_NAME_CHARS = 256

/** The client half of an endpoint on OpenAI's wire. */
export function createEndpointSurface(row: EndpointRow): Surface {
  const { id, surfaceId, readOutput, isRepeatable = false, needsMarker = false, embeddings, form, units } = row
  function notTranslated(): never {
    throw new GatewayError('internal', { cause: new Error(`${surfaceId} is no chat`) })
  }
  const endpoint: SurfaceEndpoint = {
    id,
    wire: OPENAI_WIRE,
    isText: readOutput !== undefined,
    isRepeatable,
    readUsage: units === undefined ? readUsage : units === 'images' ? readImageUsage : readAudioUsage,
    createObserver: (isDelimited) => new EndpointObserver({ needsMarker, isDelimited }),
    ...(embeddings === undefined ? {} : { embeddings }),
    ...(form === undefined
      ? {}
      : { readForm: (body, type) => readFormFacts(row, endpoint, readForm(body, type, form === 'images')) }),
  }
  return Object.freeze({
    id: surfaceId,
    routes: [{ method: 'POST' as const, path: `/v1/${id}` }],
    endpoint,
    framing: 'sse' as const,
    keepaliveFrame: ': ping\n',
    promptMembers: [],
    readFacts: (body: JsonObject) => readFacts(body, row, endpoint),
    decodeRequest: notTranslated,
    createEncoder: notTranslated,
    encodeResponse: notTranslated,
    encodeError,
    encodeErrorFrame,
    describe: () => describe(row),
  })
}

/** @throws invalid_request for a model that is no name, or none where one is required */
function readFacts(
  body: JsonObject,
  row: EndpointRow,
  { id, wire, isText, isRepeatable }: SurfaceEndpoint,
): RequestFacts {
  const { asksStream = never, readNeeds = nothing, readOutput, defaultModel = null, units } = row
  const facts: EndpointFacts = {
    ...{ id, wire, isText, isRepeatable, asksStream: asksStream(body), needs: readNeeds(body) },
    ...(units === 'images' ? { images: countAnswers([Number(body.n)]) } : {}),
    ...(units === 'audio' ? { hearsAudio: true as const } : {}),
  }
  const { maxOutputTokens, answers } = readOutput?.(body) ?? { maxOutputTokens: null, answers: 1 }
  return {
    model: readModel(body.model, defaultModel),
    // The content type shows whether the answer streams; until then nothing is sent that would rule out a whole answer.
    stream: false,
    includeUsage: true,
    maxOutputTokens,
    // An object is a provider's own routing field, not the gateway's.
    provider: textOf(body.provider),
    prompt: null,
    ...(answers > 1 ? { answers } : {}),
    endpoint: facts,
  }
}

function readFormFacts(row: EndpointRow, endpoint: SurfaceEndpoint, { fields, form, ...read }: ReadForm) {
  const facts = readFacts(fields, row, endpoint)
  return {
    facts: { ...facts, ...(facts.endpoint === undefined ? {} : { endpoint: { ...facts.endpoint, form } }) },
    ...read,
  }
}

function never(): boolean {
  return false
}

function nothing(): readonly EndpointNeed[] {
  return []
}

function readModel(value: JsonValue | undefined, defaultModel: string | null): string {
  const isMissing = value === undefined || value === null
  if (isMissing && defaultModel !== null) return defaultModel
  if (isMissing) throw new GatewayError('invalid_request', { message: "'model' is required.", param: 'model' })
  if (typeof value === 'string' && value !== '' && value.length <= MAX_NAME_CHARS) return value
  const message = `'model' must be a string of 1 to ${MAX_NAME_CHARS} characters.`
  throw new GatewayError('invalid_request', { message, param: 'model' })
}

function describe({ title, summary, defaultModel, members, example, bytes, form }: EndpointRow): SurfaceDescription {
  const name = { type: 'string', minLength: 1, maxLength: MAX_NAME_CHARS }
  const model = defaultModel === undefined ? name : { ...name, type: ['string', 'null'], default: defaultModel }
  const described = Object.entries({ ...members, provider: 'Only this provider' }).map(([member, description]) => {
    return [member, { description }]
  })
  return {
    title,
    summary,
    body: {
      type: 'object',
      ...(defaultModel === undefined ? { required: ['model'] } : {}),
      properties: { model, ...Object.fromEntries(described) },
    },
    examples: { example },
    answer: null,
    ...(bytes === undefined ? {} : { bytes }),
    ...(form === undefined ? {} : { isForm: true as const }),
  }
}
