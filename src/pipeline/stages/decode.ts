// Decodes bytes into a complete request: parses, validates and locates the members (small bodies inline, large ones in the pool, with
// the same result); then what the path specifies overrides the body, and defaults of the gateway are filled in. A request that needs
// neither passes unchanged.
import { estimateTokens } from '../../model/estimate.js'
import { type DecodedBody } from '../../protocols/contract/envelope.js'
import { type DecodedRequest } from '../../protocols/contract/request-task.js'
import { resourceFacts } from '../../protocols/endpoints/endpoint.js'
import { allowedModels } from '../../routing/access.js'
import { type PathFacts } from '../client.js'
import { type ExchangeIn } from '../exchange.js'
import { recall } from './recall.js'

/**
 * A request that continues an earlier answer has its turns before its input.
 * @throws invalid_request with `param`; overloaded when the pool is full, stuck or dead; storage_unavailable
 */
export function decode(exchange: ExchangeIn<'recall'>): DecodedBody | Promise<DecodedBody> {
  const { surface, formType = null, path = null } = exchange.request
  if (path?.resource !== undefined && surface.endpoint !== undefined) {
    const endpoint = resourceFacts(surface.endpoint, path.resource)
    return { ...UNREAD, facts: { ...NO_MODEL, endpoint }, estimatedTokens: 0, body: exchange.body }
  }
  if (formType !== null && surface.endpoint?.readForm !== undefined) {
    // Finding its boundaries takes a millisecond for 20 MB: less than handing it to a worker.
    return { ...UNREAD, ...surface.endpoint.readForm(exchange.body, formType), body: exchange.body }
  }
  const { offload } = exchange.context
  // A count is checked in full: where a provider refuses the request, its client gets an estimate and learns nothing of it.
  const decoded =
    path?.counts === true ? offload.decode(surface.id, exchange.body) : offload.skim(surface.id, exchange.body)
  return recall(exchange, decoded)
}

const UNREAD = Object.freeze({ members: [], json: null, head: null })
const NO_MODEL = Object.freeze({
  ...{ model: '', stream: false, includeUsage: true, maxOutputTokens: null, provider: null, prompt: null },
})

/** The request with what its path specifies, such as on a route that always streams; the same object if that is nothing. */
export function applyPathFacts(decoded: DecodedBody, path: PathFacts | null): DecodedBody {
  if (path === null) return decoded
  const { facts } = decoded
  const stream = facts.stream || path.streams
  const model = path.model ?? facts.model
  const asked = { ...facts, model, stream, provider: path.provider ?? facts.provider }
  return { ...decoded, facts: path.callerKey === null ? asked : { ...asked, isOwnAccount: true } }
}

/**
 * The request with its model, if the client left it out, and with the library prompt that it names; the same object if nothing
 * changed. The prompt belongs to the exchange from here on.
 * @throws invalid_request if the name or language is invalid in the prompt library
 */
export function applyDefaults(exchange: ExchangeIn<'defaults'>, decoded: DecodedRequest): DecodedRequest {
  const { facts } = decoded
  // Raw requests pass unchanged, with or without a model; an endpoint has a default of its own.
  const leavesModel = facts.model === '' && facts.raw === undefined && facts.endpoint === undefined
  if (facts.prompt === null && !leavesModel) return decoded
  if (facts.prompt !== null) exchange.prompt = exchange.context.prompts.find(facts.prompt.name, facts.prompt.language)
  const promptTokens = exchange.prompt === null ? 0 : estimateTokens(exchange.prompt.length)
  return {
    ...decoded,
    facts: leavesModel ? { ...facts, model: defaultModel(exchange) } : facts,
    estimatedTokens: decoded.estimatedTokens + promptTokens,
  }
}

/** Empty if the key may use no model: then no model is found. */
function defaultModel({ context, request }: ExchangeIn<'defaults'>): string {
  const { config, router } = context
  return config.compat.defaultModel ?? router.list(allowedModels(config, request.key))[0]?.id ?? ''
}
