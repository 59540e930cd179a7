// A validated prompt (POST /api/generate) -> the canonical request: one turn of a user. Every provider gets a chat.
import { isJsonArray, type JsonObject } from '../../../model/json.js'
import { type ChatRequest, type UserPart } from '../../../model/request.js'
import { invalidField, notCarried } from '../../fields/field-error.js'
import { textOf } from '../../scalars.js'
import { decodeImage } from './decode-image.js'
import { decodeExtensions, decodeFormat, decodeSampling, decodeThink } from './decode-options.js'

/** Members that have a canonical place; all others go to `extensions`. */
const KNOWN_FIELDS: ReadonlySet<string> = new Set([
  ...['model', 'prompt', 'system', 'stream', 'format', 'think', 'options', 'images', 'suffix'],
])

/**
 * The canonical request of a body that readGenerateFacts has accepted.
 * @throws invalid_request without a prompt, which on this wire only loads or unloads a model, and with a suffix
 */
export function decodeGenerate(body: JsonObject): ChatRequest {
  const prompt = textOf(body.prompt)
  if (prompt === null) throw invalidField('prompt', 'must not be empty')
  // Without it the answer would be to another question.
  if (textOf(body.suffix) !== null) throw notCarried('suffix', 'text to be completed in its middle')
  const system = textOf(body.system)
  const content: UserPart[] = [{ type: 'text', text: prompt }]
  for (const [index, image] of (isJsonArray(body.images) ? body.images : []).entries()) {
    if (typeof image === 'string') content.push(decodeImage(image, `images.${index}`))
  }
  return {
    model: String(body.model),
    stream: body.stream !== false,
    includeUsage: true,
    system: system === null ? [] : [{ type: 'text', text: system }],
    messages: [{ role: 'user', content }],
    tools: [],
    toolChoice: null,
    parallelToolCalls: null,
    responseFormat: decodeFormat(body),
    reasoning: decodeThink(body),
    sampling: decodeSampling(body),
    user: null,
    extensions: decodeExtensions(body, KNOWN_FIELDS, lostOf(body)),
  }
}

/** Values other than the default of what only a server with the model itself can do. */
function lostOf({ raw }: JsonObject): string[] {
  return raw === true ? ['raw'] : []
}
