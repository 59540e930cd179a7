// Answers for refusals that come in floods, such as the 503 of a gateway at capacity: the envelope is encoded once per surface, and
// later ones only get their request id inserted. Every microsecond of a refusal is missing for the requests that are served.
import { type ErrorData } from '../../model/error.js'
import { type Answer } from '../sink.js'
import { type ErrorContext, errorAnswer } from './answer.js'

/** Placeholder for the request id while an answer is encoded. It has the form of an id, so surfaces treat it as one. */
const ID_MARK = 'sluice:request-id:mark'

/** An encoded answer in two parts, between which the request id is inserted. */
type Form = { readonly answer: Answer; readonly texts: readonly string[] }

/** Belongs to one pipeline, since it depends on the configuration of answers. */
export class RepeatedAnswers {
  readonly #forms = new WeakMap<ErrorData, Map<string, Form>>()

  /** The same as errorAnswer, which it is for errors that are not shared, and where the id of a trace is shown. */
  of(error: ErrorData, context: ErrorContext): Answer {
    const isOfItsOwn = context.hasDetails && context.traceId != null
    if (isOfItsOwn || !Object.isFrozen(error)) return errorAnswer(error, context)
    const { answer, texts } = this.#form(error, context)
    const headers = context.headers.length === 0 ? answer.headers : [...context.headers, ...answer.headers]
    const body = texts.length === 1 ? answer.body : Buffer.from(texts.join(context.requestId))
    return { status: answer.status, headers, body, error }
  }

  #form(error: ErrorData, context: ErrorContext): Form {
    const { surface, subject } = context
    let forms = this.#forms.get(error)
    if (forms === undefined) {
      forms = new Map()
      this.#forms.set(error, forms)
    }
    const name = `${surface?.id ?? ''} ${subject.hasKey}`
    const known = forms.get(name)
    if (known !== undefined) return known
    const answer = errorAnswer(error, { ...context, requestId: ID_MARK, headers: [] })
    const form = { answer, texts: Buffer.from(answer.body).toString('utf8').split(ID_MARK) }
    forms.set(name, form)
    return form
  }
}
