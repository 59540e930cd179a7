// Validators that are compiled by their first use. Compiling those of every API at the start took a fourteenth of it, and most of them
// are never used: a client speaks one API, and few of its kinds of messages.
import { type Static, type TSchema } from 'typebox'
import { Compile, type Validator } from 'typebox/compile'

/** A schema as a check, compiled once. */
export class LateValidator<Schema extends TSchema> {
  readonly #schema: Schema
  #compiled: Validator | null = null

  constructor(schema: Schema) {
    this.#schema = schema
  }

  /** Whether the value fits. */
  Check(value: unknown): value is Static<Schema> {
    return this.#validator().Check(value)
  }

  /** What does not fit. Slow: for one wrong value. */
  Errors(value: unknown): ReturnType<Validator['Errors']> {
    return this.#validator().Errors(value)
  }

  #validator(): Validator {
    this.#compiled ??= Compile(this.#schema)
    return this.#compiled
  }
}
