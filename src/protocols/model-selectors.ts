// Members of a chat body other than `model` by which some provider selects the model. They are passed to providers that read them, so
// the gateway must check them if a key may not use every model.
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../model/json.js'
import { findDuplicate, scanMembers } from '../wire/body/members.js'

/** In lower case, as some servers match names of members in any. */
const SELECTORS: ReadonlySet<string> = new Set([
  // OpenRouter: other models, the member that makes it use them, and a stored set of options that includes a model.
  'models',
  'route',
  'preset',
  // Anthropic's beta of this name, and what LiteLLM reads from a body.
  'fallbacks',
  'fallback_models',
  'context_window_fallbacks',
  'content_policy_fallbacks',
])
const MODEL = 'model'

/** The first member that may select a model other than `model`; null for none. A member that is null selects nothing. */
export function findSelector(body: JsonObject): string | null {
  for (const member in body) {
    const name = member.toLowerCase()
    const isSelector = SELECTORS.has(name) || (name === MODEL && member !== MODEL)
    if (isSelector && body[member] !== null) return member
  }
  return null
}

/** The same for an unvalidated body, such as one inside another; `bytes` are its text. */
export function findSelectorIn(body: JsonValue, bytes: Uint8Array): string | null {
  // Each item of a list may be a separate request.
  if (isJsonArray(body)) return MODEL
  if (!isJsonObject(body)) return null
  const members = scanMembers(bytes)
  // More members than any valid body has: which of them applies is unknown.
  if (members === null) return MODEL
  return findSelector(body) ?? findDuplicate(members)
}
