// Caps on the output that the gateway lowers, because no more can be paid: never raised, and never below what the provider's API accepts.
import { GatewayError } from '../../errors.js'
import { type JsonObject, type JsonValue } from '../../model/json.js'
import { type Dialect, type EditedRequest, type EditValue } from '../contract/protocol.js'
import { type EncodeTask } from '../contract/request-task.js'
import { numberOf } from '../scalars.js'

/** The lower one of a cap and what a request has in its place; null if the request's may stay. Values below `least` mean no cap. */
export function lowered(asked: JsonValue | undefined, cap: number, least = 1): number | null {
  const own = numberOf(asked)
  return own === null || own < least || own > cap ? cap : null
}

/** A budget for thinking that leaves half of the cap to the answer, if it does not fit below it; null if it may stay. */
export function loweredThinking(asked: JsonValue | undefined, cap: number): number | null {
  const own = numberOf(asked)
  return own === null || own < cap ? null : Math.floor(cap / 2)
}

/** The provider would reject the request. */
export function tooSmall(cap: number): GatewayError {
  return new GatewayError('budget_exceeded', {
    message: `A budget or a token allows this request only ${cap} tokens of output, and the model needs more.`,
  })
}

/** The body as it is sent, for those that look at its top-level members alone. */
export function edited(body: JsonObject, edits: ReadonlyMap<string, EditValue>): JsonObject {
  if (edits.size === 0) return body
  const view: JsonObject = { ...body }
  for (const [field, value] of edits) {
    if (value === undefined) delete view[field]
    else view[field] = value
  }
  return view
}

const NO_EDITS: ReadonlyMap<string, EditValue> = new Map()

/** `json`: the client's body. @throws as editRequest and limitOutput */
export function editWithin(dialect: Dialect, task: EncodeTask, json: JsonObject): EditedRequest {
  const { edits, dropped } = dialect.editRequest(task.facts, json, task.target)
  if ((task.outputCap ?? null) === null) return { edits, dropped }
  const limit = limitOf(dialect, task, edited(json, edits))
  return limit.size === 0 ? { edits, dropped } : { edits: new Map([...edits, ...limit]), dropped }
}

/** `body`: as it would be sent without the cap. @throws budget_exceeded */
export function limitOf(dialect: Dialect, task: EncodeTask, body: JsonObject): ReadonlyMap<string, EditValue> {
  const { outputCap = null, target } = task
  return outputCap === null ? NO_EDITS : dialect.limitOutput(body, outputCap, target)
}
