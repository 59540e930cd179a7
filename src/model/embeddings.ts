// Embeddings in canonical form: what a client of one API asks, and what a provider of another one answers.
import { type UsageReport } from './usage.js'

export type EmbeddingsRequest = {
  /** Texts, or texts as lists of the model's own tokens. Never empty. */
  readonly inputs: readonly EmbeddingInput[]
  /** Length of each vector; null for the model's own. */
  readonly dimensions: number | null
  /** What the vectors are for, by the names of the API that has such names; null if it was not said. */
  readonly task: EmbeddingTask | null
  /** An identifier of the end user; null for none. */
  readonly user: string | null
}

export type EmbeddingInput = string | readonly number[]

/** Gemini's task types, the only published list; `title` belongs to documents. */
export type EmbeddingTask = { readonly type: string; readonly title: string | null }

export type EmbeddingsResponse = {
  /** One for each input, in order. */
  readonly vectors: readonly (readonly number[])[]
  /** As the provider names it; null if it does not. */
  readonly model: string | null
  readonly usage: UsageReport | null
}
