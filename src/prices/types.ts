// Prices as plain data: what read-prices.ts makes of a price list, and the configuration passes to every event loop.
//
// Money is whole numbers. A rate is in pico-dollars a token: 3 $ for a million tokens are 3,000,000. A cost is in nano-dollars,
// rounded up once for each attempt.

/** Pico-dollars a token. */
export type Rate = {
  readonly base: number
  /** For all tokens of a request with more than `above` input tokens; ascending, the last that applies counts. */
  readonly tiers: readonly { readonly above: number; readonly rate: number }[]
  /** Of input: the tiers are for the input tokens above their bounds alone, not for those below. */
  readonly isMarginal: boolean
}

/** What one model costs. Null where the list has no price of its own: then the price of what it is a part of applies. */
export type Rates = {
  readonly input: Rate
  readonly output: Rate
  /** Of input tokens that the provider's cache had, or has got. */
  readonly cacheRead: Rate | null
  readonly cacheWrite: Rate | null
  /** Of output tokens that the model spent on reasoning. */
  readonly reasoning: Rate | null
  /** Pico-dollars for each request. */
  readonly request: number
  /** Of what few models have a price for; null for none. */
  readonly parts: PartRates | null
  /** Where the provider has served it with another class of service, by its name; null for none. */
  readonly serviceTiers: Readonly<Record<string, Rates>> | null
}

/** Each null where the model has no such price. @see UsageParts */
export type PartRates = {
  /** Of input that is written into the provider's cache for an hour. */
  readonly longCacheWrite: Rate | null
  readonly audioInput: Rate | null
  readonly imageInput: Rate | null
  readonly videoInput: Rate | null
  readonly cachedAudio: Rate | null
  readonly cachedImage: Rate | null
  readonly audioOutput: Rate | null
  readonly imageOutput: Rate | null
  readonly videoOutput: Rate | null
  /** Pico-dollars for each image that is made, and for each second of audio. */
  readonly image: number | null
  readonly audioSecond: number | null
}

/** Rates, and when they are valid. */
export type Period = {
  /** Unix ms; null for always. */
  readonly fromMs: number | null
  /** Daily, in ms after midnight UTC, possibly past midnight; null for all day. */
  readonly hours: { readonly startMs: number; readonly endMs: number } | null
  readonly rates: Rates
}

/** Which names a row is for. */
export type Match =
  | { readonly equals: string }
  | { readonly starts_with: string }
  | { readonly ends_with: string }
  | { readonly contains: string }
  | { readonly regex: string }
  | { readonly or: readonly Match[] }
  | { readonly and: readonly Match[] }

export type PriceRow = {
  readonly model: string
  readonly match: Match
  /** The last that is valid counts. */
  readonly periods: readonly Period[]
  /** The most output tokens of one answer; null if the list does not say it. */
  readonly maxOutputTokens: number | null
  /** Multiples of the price by class of service. */
  readonly serviceTiers: Readonly<Record<string, number>>
}

/** The prices of one vendor. */
export type PriceList = {
  readonly rows: readonly PriceRow[]
  /** Vendors whose models it sells at their prices, for names that its own rows do not have. */
  readonly fallbacks: readonly string[]
}

export type PriceTable = {
  /** The name of this state of the list, as costs refer to it. */
  readonly version: string
  readonly lists: Readonly<Record<string, PriceList>>
}

/** A price of the configuration: dollars for a million tokens, a thousand requests, an image, a minute of audio. */
export type Price = TokenPrice & {
  readonly longCacheWrite?: number
  readonly audioInput?: number
  readonly imageInput?: number
  readonly videoInput?: number
  readonly cachedAudio?: number
  readonly cachedImage?: number
  readonly audioOutput?: number
  readonly imageOutput?: number
  readonly videoOutput?: number
  readonly request?: number
  readonly image?: number
  readonly audioMinute?: number
  /** For requests with more input, ascending. */
  readonly tiers?: readonly (TokenPrice & { readonly above: number })[]
  readonly marginalTiers?: boolean
  /** The most output tokens of one answer. */
  readonly maxOutputTokens?: number
}

/** Dollars for a million tokens. */
export type TokenPrice = {
  readonly input: number
  readonly output: number
  readonly cacheRead?: number
  readonly cacheWrite?: number
  readonly reasoning?: number
}

/** What becomes of a request to a target without a price: it is served, its target is not used, or it is priced by default. */
export type UnknownPrice = 'allow' | 'reject' | 'default'

export type PricesConfig = {
  /** False: no costs are computed. */
  readonly enabled: boolean
  /** Absolute; null for the list that comes with Sluice. */
  readonly file: string | null
  /** Where a newer list is downloaded from, and how often; null for nowhere. */
  readonly url: string | null
  readonly refreshMs: number
  /** Absolute: the file for the downloaded list. */
  readonly cache: string
  /** By globs over `provider/model`; they precede the table, the first match counts. */
  readonly models: Readonly<Record<string, Price>>
  /** Multiples of the price for classes of service, by globs over `provider/model`; the first match counts, before the table's. */
  readonly serviceTiers: Readonly<Record<string, Readonly<Record<string, number>>>>
  readonly unknown: UnknownPrice
  readonly default: Price | null
  /** Null where no costs are computed. */
  readonly table: PriceTable | null
}
