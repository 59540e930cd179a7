// Attributes whose values come again and again (models, paths, outcomes), each encoded once: to copy one takes 40 ns, to encode it 100
// (bench traces). One set per configuration, since what is secret depends on it.
import { encodeAttribute } from './span-batch.js'

/** Of each attribute; what comes once, such as the name of a client's program may, is not worth much room. */
const MAX_KNOWN = 500
const MAX_KNOWN_CHARS = 200

/** The values of one attribute. */
export class KnownValues<Value extends string | number> {
  readonly #name: string
  readonly #clean: (value: Value) => Value
  readonly #known = new Map<Value, Uint8Array>()

  /** `clean`: removes secrets. */
  constructor(name: string, clean: (value: Value) => Value = (value) => value) {
    this.#name = name
    this.#clean = clean
  }

  /** The attribute with this value, for `SpanBatch.encoded`. */
  of(value: Value): Uint8Array {
    const found = this.#known.get(value)
    if (found !== undefined) return found
    const encoded = encodeAttribute(this.#name, this.#clean(value))
    if (this.#known.size >= MAX_KNOWN) this.#known.clear()
    if (typeof value === 'number' || value.length <= MAX_KNOWN_CHARS) this.#known.set(value, encoded)
    return encoded
  }
}

export type KnownAttributes = ReturnType<typeof createKnownAttributes>

/** `clean`: removes secrets from what clients and providers name. */
export function createKnownAttributes(clean: (text: string) => string) {
  const text = (name: string) => new KnownValues<string>(name)
  const foreign = (name: string) => new KnownValues<string>(name, clean)
  const number = (name: string) => new KnownValues<number>(name)
  return {
    surface: text('sluice.surface'),
    transport: text('sluice.transport'),
    outcome: text('sluice.outcome'),
    model: foreign('sluice.model'),
    key: text('sluice.key'),
    shared: text('sluice.shared'),
    cancelledBy: text('sluice.cancelled_by'),
    result: text('sluice.result'),
    usageSource: text('sluice.usage_source'),
    attempts: number('sluice.attempts'),
    try: number('sluice.try'),
    target: foreign('sluice.target'),
    status: number('http.response.status_code'),
    method: text('http.request.method'),
    resends: number('http.request.resend_count'),
    scheme: text('url.scheme'),
    path: foreign('url.path'),
    client: text('client.address'),
    agent: foreign('user_agent.original'),
    errorType: text('error.type'),
    operation: text('gen_ai.operation.name'),
    provider: text('gen_ai.provider.name'),
    requestModel: foreign('gen_ai.request.model'),
    answerModel: foreign('gen_ai.response.model'),
  }
}
