// Checks what an operator sends, a query or a body, against the schema that also describes it in the API's document.
import { type Static, type TSchema } from 'typebox'
import { type Path, ProblemList, renderProblem } from '../../config/validate/problem.js'
import { validate } from '../../config/validate/validate.js'
import { GatewayError } from '../../errors.js'
import { isJsonObject, type JsonObject } from '../../model/json.js'

/** More problems at once do not help anybody. */
const MAX_SHOWN = 5

/**
 * The query of a request, defaults filled in.
 * @throws invalid_request, naming the parameter
 */
export function readQuery<T extends TSchema>(schema: T, query: string): Static<T> {
  const given: Record<string, string> = {}
  for (const [name, value] of new URLSearchParams(query)) {
    if (Object.hasOwn(given, name)) throw refusal(`${name}: is given twice`, name)
    given[name] = value
  }
  // A query is text alone.
  return check(schema, given, () => true)
}

/**
 * The body of a request, defaults filled in.
 * @throws invalid_request, naming the member
 */
export function readBody<T extends TSchema>(schema: T, body: Uint8Array): Static<T> {
  return check(schema, parse(body), () => false)
}

function parse(body: Uint8Array): JsonObject {
  try {
    const parsed: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
    if (isJsonObject(parsed)) return parsed
  } catch {
    // The parser's words quote the body, which may hold a secret.
  }
  throw refusal('The body must be one JSON object.', null)
}

function check<T extends TSchema>(schema: T, given: JsonObject, isText: (path: Path) => boolean): Static<T> {
  const problems = new ProblemList(() => ({ line: null, origin: null }))
  const checked = validate(schema, given, { problems, isText })
  const [first] = problems.all
  if (first === undefined) return checked as Static<T>
  const shown = problems.all.slice(0, MAX_SHOWN).map(renderProblem).join('; ')
  throw refusal(shown, first.path.join('.') || null)
}

function refusal(message: string, param: string | null): GatewayError {
  return new GatewayError('invalid_request', { message, param })
}
