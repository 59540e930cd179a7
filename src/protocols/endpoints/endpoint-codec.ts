// The codec work of endpoints: the client's bytes with the name of the target's model on the same wire, a translation on another one.
// As pure as the codec, of which it is a part.
import { GatewayError } from '../../errors.js'
import { estimateTokens } from '../../model/estimate.js'
import { type JsonObject } from '../../model/json.js'
import { spliceMembers } from '../../wire/body/members.js'
import { encodeText, parseJsonBody, UPSTREAM_LIMITS } from '../../wire/json.js'
import { type AnswerTask, type EncodedAnswer } from '../contract/answer-task.js'
import { type Dialect, type EditValue, type Surface } from '../contract/protocol.js'
import { type EncodedBody, type EncodeTask } from '../contract/request-task.js'
import { fitContent } from '../fit/content.js'
import { lowered } from '../fit/output-cap.js'
import {
  type CountingDialect,
  type EmbeddingsDialect,
  type EmbeddingsSurface,
  type EndpointDialect,
} from './endpoint.js'
import { editForm } from './form.js'

/** The upstream's body. @throws invalid_request */
export function encodeEndpoint(surface: Surface, dialect: Dialect, task: EncodeTask): EncodedBody {
  const { body, facts, target } = task
  const { endpoint } = facts
  const half = endpoint === undefined ? undefined : dialect.endpoints?.[endpoint.id]
  if (endpoint === undefined || half === undefined) throw notServed(surface)
  if (endpoint.resource !== undefined) return { path: half.path(target, endpoint.resource.rest), body, dropped: [] }
  const path = half.path(target)
  if (half.wire !== endpoint.wire) {
    const json = task.json ?? parseJsonBody(body)
    if (half.counting === undefined) return { path, ...translate(surface, half, { json, target }) }
    return { path, ...translateCount(half.counting, { surface, dialect, task, json }) }
  }
  const json = task.json ?? task.head?.json ?? parseJsonBody(body)
  if (facts.isOwnAccount !== true) half.counting?.checkReferences?.(json)
  const edits = new Map<string, EditValue>()
  if (json.model !== target.model) edits.set('model', target.model)
  // The gateway's routing field; an object of that name is a provider's own and passes.
  if (typeof json.provider === 'string') edits.set('provider', undefined)
  const { outputCap = null } = task
  const cap = endpoint.id === 'completions' && outputCap !== null ? lowered(json.max_tokens, outputCap) : null
  if (cap !== null) edits.set('max_tokens', cap)
  const from = surface.endpoint?.embeddings
  const echo = from?.asAsked === undefined ? null : { echo: from.readEcho(json) }
  return { path, body: spliceMembers(body, task.members, edits), dropped: [], ...echo }
}

/**
 * What passes without being read: a request for a resource, and a form for an upstream of the same wire, the only one that takes it. The
 * client's own memory.
 */
export function passEndpoint(surface: Surface, dialect: Dialect, task: EncodeTask): EncodedBody | null {
  const { endpoint } = task.facts
  if (endpoint?.resource !== undefined) return encodeEndpoint(surface, dialect, task)
  return endpoint?.form === undefined ? null : encodeForm(dialect, task)
}

function encodeForm(dialect: Dialect, { body, facts, target }: EncodeTask): EncodedBody {
  const { endpoint } = facts
  const half = endpoint === undefined ? undefined : dialect.endpoints?.[endpoint.id]
  if (endpoint?.form === undefined || half === undefined) throw new GatewayError('internal')
  const path = half.path(target)
  const { model, provider } = endpoint.form
  if (model !== null && provider === null && facts.model === target.model) return { path, body, dropped: [] }
  return { path, body: NO_BODY, pieces: editForm(body, endpoint.form, target.model), dropped: [] }
}

const NO_BODY = new Uint8Array(0)

type Translated = Pick<EncodeTask, 'target'> & { readonly json: JsonObject }

function translate(surface: Surface, half: EndpointDialect, { json, target }: Translated): Omit<EncodedBody, 'path'> {
  const { from, to } = halvesOf(surface, half)
  const request = from.decodeRequest(json)
  const { body, dropped } = to.encodeRequest(request, target)
  const chars = request.inputs.reduce(
    (sum, input) => sum + (typeof input === 'string' ? Buffer.byteLength(input) : 0),
    0,
  )
  const echo = { ...from.readEcho(json), inputs: request.inputs.length, inputTokens: estimateTokens(chars) }
  return { body: encodeText(JSON.stringify(body)), dropped, echo }
}

type Counting = Pick<Translated, 'json'> & {
  readonly surface: Surface
  readonly dialect: Dialect
  readonly task: EncodeTask
}

/** The chat as it would be sent, in the form that its provider counts. */
function translateCount(half: CountingDialect, { surface, dialect, task, json }: Counting): Omit<EncodedBody, 'path'> {
  surface.readFacts(json)
  const { target } = task
  const asked = { ...surface.decodeRequest(json, task.prompt), stream: false }
  const fitted = fitContent(asked, (part) => part.type !== 'file' && dialect.carries(part, target), null)
  const chat = dialect.encodeRequest(fitted.request, target)
  const body = encodeText(JSON.stringify(half.encodeRequest(chat.body, target)))
  return { body, dropped: chat.dropped }
}

/** A whole answer in the surface's form. @throws upstream_malformed, also for fewer vectors than inputs */
export function transcodeEndpoint(surface: Surface, dialect: Dialect, task: AnswerTask): EncodedAnswer {
  const half = task.endpoint === undefined ? undefined : dialect.endpoints?.[task.endpoint]
  if (half === undefined) throw notServed(surface)
  const answer = parseJsonBody(task.body, UPSTREAM_LIMITS)
  if (half.counting !== undefined) return answerCount(surface, half.counting.decodeResponse(answer))
  const { from, to } = halvesOf(surface, half)
  if (from.asAsked !== undefined && half.wire === surface.endpoint?.wire) return wholeAnswer(from.asAsked(answer))
  const echo = task.echo ?? {}
  const response = to.decodeResponse(answer)
  if (response.vectors.length !== echo.inputs) {
    const message = `The provider sent ${response.vectors.length} embeddings for ${echo.inputs} inputs.`
    throw new GatewayError('upstream_malformed', { message })
  }
  return { ...wholeAnswer(from.encodeResponse(response, echo)), usage: response.usage }
}

function answerCount(surface: Surface, count: number | null): EncodedAnswer {
  if (count === null || surface.encodeCount === undefined) throw new GatewayError('upstream_malformed')
  return wholeAnswer(surface.encodeCount(count))
}

function wholeAnswer(json: JsonObject): EncodedAnswer {
  return { body: encodeText(JSON.stringify(json)), usage: null, finishReason: 'stop', contentChars: 0, dropped: [] }
}

type Halves = { readonly from: EmbeddingsSurface; readonly to: EmbeddingsDialect }

function halvesOf(surface: Surface, half: EndpointDialect): Halves {
  const from = surface.endpoint?.embeddings
  const to = half.embeddings
  if (from === undefined || to === undefined) throw notServed(surface)
  return { from, to }
}

/** Routing selects only targets that accept the request. */
function notServed({ id }: Surface): GatewayError {
  return new GatewayError('internal', { cause: new Error(`${id} reached a target that does not serve it`) })
}
