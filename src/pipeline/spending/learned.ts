// What this event loop has learned of models from the counts of their providers, so that a reservation is neither too small nor a worst
// case that starves everyone else. A fixed memory: 400 bytes a model, for as many models as a gateway has.

import { Quantile } from './quantile.js'
import { type RefusedCap } from './refused-cap.js'

/** Names that clients invent do not fill the memory. */
const MAX_TARGETS = 512
/** Output tokens that are reserved for a model of which too little is known. */
export const DEFAULT_OUTPUT_TOKENS = 4096
const USUAL = 0.95
const BOUND = 0.99
/** Tokens that providers count for each one that is estimated: from 1/16 to 64. */
const RATIO = [1 / 16, 10] as const
/** Output tokens of one answer, up to a million. */
const OUTPUT = [1, 20] as const
/** Output tokens for each byte of content: from 1/64 to 16. */
const PER_BYTE = [1 / 64, 10] as const
/** The estimate's rule, for a model of which too little is known. */
const TOKENS_PER_BYTE = 0.25
/** No vendor has more. */
const MAX_SERVICE_TIERS = 8
/** A few bytes say nothing about many. */
const MIN_BYTES = 64

/** What is known of one model. */
export class ModelUse {
  readonly #input = new Quantile(...RATIO)
  readonly #output = new Quantile(...OUTPUT)
  readonly #perByte = new Quantile(...PER_BYTE)
  #mostOutput: number | null = null
  #context: number | null = null
  #mostCap: number | null = null
  readonly #serviceTiers = new Set<string>()

  /** At most so many tokens are counted for each one that was estimated. Never below 1. */
  get inputRatio(): number {
    return Math.max(1, this.#input.above(BOUND) ?? 1)
  }

  /** One answer usually needs no more output tokens. */
  get usualOutput(): number {
    return Math.ceil(this.#output.above(USUAL) ?? DEFAULT_OUTPUT_TOKENS)
  }

  /** Output tokens for each byte of content, as an upper bound. Never below the estimate. */
  get tokensPerByte(): number {
    return Math.max(TOKENS_PER_BYTE, this.#perByte.above(BOUND) ?? TOKENS_PER_BYTE)
  }

  /** One answer has no more output tokens, as the provider has said; null if it has not. */
  get mostOutput(): number | null {
    return this.#mostOutput
  }

  /** Tokens of its context, as the provider has said; null if it has not. */
  get context(): number | null {
    return this.#context
  }

  /** A greater cap is rejected, whatever the model can write; null if none was. */
  get mostCap(): number | null {
    return this.#mostCap
  }

  /** The provider has rejected a cap on the output. */
  noteRefusedCap({ modelMost, context, next }: RefusedCap): void {
    if (modelMost !== null) this.#mostOutput = modelMost
    else if (context !== null) this.#context = context
    else this.#mostCap = next
  }

  /** Classes of service with which the provider has served this model. */
  get serviceTiers(): ReadonlySet<string> {
    return this.#serviceTiers
  }

  noteServiceTier(tier: string): void {
    if (this.#serviceTiers.size < MAX_SERVICE_TIERS) this.#serviceTiers.add(tier)
  }

  noteInput(counted: number, estimated: number): void {
    if (estimated > 0) this.#input.note(counted / estimated)
  }

  /** `bytes`: of the content that was seen; 0 where they are not known. */
  noteOutput(tokens: number, bytes: number): void {
    this.#output.note(tokens)
    // What it has counted corrects what it has said.
    if (this.#mostOutput !== null && tokens > this.#mostOutput) this.#mostOutput = tokens
    if (bytes >= MIN_BYTES) this.#perByte.note(tokens / bytes)
  }
}

/** By target. */
export class Learned {
  /** By provider, then by model. */
  readonly #uses = new Map<string, Map<string, ModelUse>>()
  #count = 0

  of({ provider, model }: { readonly provider: string; readonly model: string }): ModelUse {
    const known = this.#uses.get(provider)?.get(model)
    if (known !== undefined) return known
    if (this.#count >= MAX_TARGETS) {
      this.#uses.clear()
      this.#count = 0
    }
    const use = new ModelUse()
    const ofProvider = this.#uses.get(provider) ?? new Map<string, ModelUse>()
    this.#uses.set(provider, ofProvider.set(model, use))
    this.#count += 1
    return use
  }
}
