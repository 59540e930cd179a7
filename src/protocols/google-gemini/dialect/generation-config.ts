// Sampling, output format and thinking of the canonical request -> `generationConfig`.
import { isJsonObject, type JsonValue } from '../../../model/json.js'
import { budgetOf } from '../../../model/reasoning.js'
import { type ChatRequest, type ReasoningRequest, type ResponseFormat } from '../../../model/request.js'
import { type Target } from '../../../model/target.js'
import { fitReasoning } from '../../fit/reasoning.js'
import { type GenerationConfig } from '../wire.js'

/** The largest thinking budget that all thinking models accept; "pro" models accept up to 32,768. */
const MAX_BUDGET = 24_576
const MAX_PRO_BUDGET = 32_768
/** "Pro" models cannot disable thinking; this is their smallest budget. https://ai.google.dev/gemini-api/docs/thinking */
export const MIN_PRO_BUDGET = 128
export const PRO = /-pro\b/

/** Absent members are left out, so that the model's own defaults apply. */
export function encodeGenerationConfig(request: ChatRequest, target: Target, dropped: Set<string>): GenerationConfig {
  const { sampling } = request
  const config: GenerationConfig = {}
  if (sampling.temperature !== null) config.temperature = Math.min(sampling.temperature, target.quirks.maxTemperature)
  if (sampling.topP !== null) config.topP = sampling.topP
  if (sampling.topK !== null) config.topK = sampling.topK
  if (sampling.maxOutputTokens !== null) config.maxOutputTokens = sampling.maxOutputTokens
  if (sampling.stop.length > 0) config.stopSequences = [...sampling.stop]
  if (sampling.seed !== null) config.seed = sampling.seed
  if (sampling.presencePenalty !== null) config.presencePenalty = sampling.presencePenalty
  if (sampling.frequencyPenalty !== null) config.frequencyPenalty = sampling.frequencyPenalty
  if (request.responseFormat !== null) setFormat(config, request.responseFormat, { target, dropped })
  const reasoning = fitReasoning(request, target, (field) => dropped.add(field))
  if (reasoning !== null) config.thinkingConfig = encodeThinking(reasoning, target.model)
  return config
}

type Encoder = { readonly target: Target; readonly dropped: Set<string> }

function setFormat(config: GenerationConfig, format: ResponseFormat, { target, dropped }: Encoder): void {
  if (format.type === 'text') return
  const support = target.quirks.jsonSchema
  if (format.type === 'json-schema' && support !== 'json-schema') dropped.add('response_format')
  if (format.type === 'json-schema' && support === 'none') return
  config.responseMimeType = 'application/json'
  if (format.type === 'json-schema' && support === 'json-schema')
    config.responseJsonSchema = withoutDialect(format.schema)
}

/** The vendor's subset of JSON Schema does not have `$schema`. */
function withoutDialect(schema: JsonValue): JsonValue {
  if (!isJsonObject(schema)) return schema
  const { $schema: _dialect, ...rest } = schema
  return rest
}

function encodeThinking(reasoning: ReasoningRequest, model: string): NonNullable<GenerationConfig['thinkingConfig']> {
  const budget = budgetOf(reasoning)
  if (budget === null) return { includeThoughts: true }
  const isPro = PRO.test(model)
  const thinkingBudget = isPro
    ? Math.min(Math.max(budget, MIN_PRO_BUDGET), MAX_PRO_BUDGET)
    : Math.min(budget, MAX_BUDGET)
  return { includeThoughts: budget > 0, thinkingBudget }
}
