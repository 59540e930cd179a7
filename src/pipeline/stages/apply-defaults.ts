// What a body leaves to the gateway: the model, where its surface lets clients leave it out, and the library prompt that it
// asks for. Between decode and admit; a request that leaves nothing open passes as it is.
import { estimateTokens } from '../../model/estimate.js'
import { type DecodedRequest } from '../../protocols/contract/codec.js'
import { allowedModels } from '../../routing/access.js'
import { type ExchangeIn } from '../exchange.js'

/**
 * The request with nothing left open, the same object where nothing was; the prompt is the exchange's from here on.
 * @throws invalid_request when the prompt library has no place for such a name or language
 */
export function applyDefaults(exchange: ExchangeIn<'defaults'>, decoded: DecodedRequest): DecodedRequest {
  const { facts } = decoded
  // Raw words go as they are, with or without a model.
  const leavesModel = facts.model === '' && facts.raw === undefined
  if (facts.prompt === null && !leavesModel) return decoded
  if (facts.prompt !== null) exchange.prompt = exchange.context.prompts.find(facts.prompt.name, facts.prompt.language)
  const promptTokens = exchange.prompt === null ? 0 : estimateTokens(exchange.prompt.length)
  return {
    ...decoded,
    facts: leavesModel ? { ...facts, model: defaultModel(exchange) } : facts,
    estimatedTokens: decoded.estimatedTokens + promptTokens,
  }
}

/** Empty where the key may use none: then no model is found. */
function defaultModel({ context, request }: ExchangeIn<'defaults'>): string {
  const { config, router } = context
  return config.compat.defaultModel ?? router.list(allowedModels(config, request.key.index))[0]?.id ?? ''
}
