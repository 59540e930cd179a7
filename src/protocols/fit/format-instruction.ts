// Instructions to the model about the form of its answer, if its server does not support that form: the substitute for a
// `response_format` that is named as dropped. Servers that only have a JSON mode get the schema this way; some of them reject JSON mode
// if the prompt does not mention JSON (api-docs.deepseek.com/guides/json_mode).
import { type JsonValue } from '../../model/json.js'
import { type ChatRequest } from '../../model/request.js'

const JSON_ONLY = 'Answer with one JSON object and nothing else: no text around it, no code fence.'

/** The instruction; `schema` is null for any JSON object. */
export function formatInstruction(schema: JsonValue): string {
  if (schema === null) return JSON_ONLY
  return `${JSON_ONLY} It must be valid against this JSON Schema:\n${JSON.stringify(schema)}`
}

/** The request with the instruction at the end of its system text; unchanged if it requests no form. */
export function instructFormat(request: ChatRequest): ChatRequest {
  const format = request.responseFormat
  if (format === null || format.type === 'text') return request
  const text = formatInstruction(format.type === 'json' ? null : format.schema)
  return { ...request, system: [...request.system, { type: 'text', text }] }
}
