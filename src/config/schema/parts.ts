// What the sections of the configuration file are declared with: units, bounds that several share, and forms of options.
import { type TSchema, Type } from 'typebox'

export const MINUTE_MS = 60_000
export const HOUR_MS = 60 * MINUTE_MS
export const DAY_MS = 24 * HOUR_MS
export const KIB = 1024
export const MIB = 1024 * KIB
export const GIB = 1024 * MIB
/** The largest budget that the counting cells can hold. */
export const MAX_BUDGET_BYTES = 1024 * GIB
/** uWebSockets.js ends the process for idle timeouts above 960 s (uws.js#1025), so no time that may become one goes higher. */
export const MAX_IDLE_MS = 900_000
/** Node's timers take no more than 2^31 - 1 ms; a day is more than any answer needs. */
export const MAX_WAIT_MS = DAY_MS
export const MAX_PORT = 65_535
/** More event loops or workers than any machine this runs on has cores for. */
export const MAX_THREADS = 64
export const MAX_CONCURRENCY = 1_000_000
const MAX_PER_MINUTE = 1_000_000_000
/** For a million tokens, or a thousand requests: a hundred times the dearest on offer. */
const MAX_DOLLARS = 100_000

/** Names of keys and providers: they become labels, parts of `provider/model` and parts of paths. */
export const NAME_PATTERN = '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'

/** An object with these members and no others. */
export function section<T extends Record<string, TSchema>>(description: string, properties: T) {
  return Type.Object(properties, { additionalProperties: false, description })
}

/** An option that may be null, and is so by default. */
export function nullable<T extends TSchema>(schema: T, description: string) {
  return Type.Union([schema, Type.Null()], { default: null, description })
}

/** An option that is on or off. */
export function flag(fallback: boolean, description: string) {
  return Type.Boolean({ default: fallback, description })
}

/** An integer within bounds, its unit in the description. */
export function integer(bounds: { minimum: number; maximum: number }, fallback: number, description: string) {
  return Type.Integer({ ...bounds, default: fallback, description })
}

/** A text that is not empty. */
export function text(fallback: string, description: string) {
  return Type.String({ default: fallback, minLength: 1, description })
}

/** A price. */
export function dollars(description: string) {
  return Type.Number({ minimum: 0, maximum: MAX_DOLLARS, description })
}

/** The price of a part, which may be left out. */
export function dollarsOr(what: string, whole: string) {
  return Type.Optional(dollars(`Dollars for a million ${what}; by default those of ${whole}.`))
}

/** A rate that limits; null for no limit. */
export function perMinute(description: string) {
  return nullable(Type.Integer({ minimum: 1, maximum: MAX_PER_MINUTE }), description)
}

/** A number of things at once that limits; null for no limit. */
export function concurrency(fallback: number | null, description: string) {
  return Type.Union([Type.Integer({ minimum: 1, maximum: MAX_CONCURRENCY }), Type.Null()], {
    default: fallback,
    description,
  })
}

/** Certificate and key of a listener. */
export const ListenerTls = section('Certificate of the listener.', {
  certFile: Type.String({ minLength: 1, description: 'PEM file with the certificate chain.' }),
  keyFile: Type.String({ minLength: 1, description: 'PEM file with the private key.' }),
  passphrase: nullable(Type.String({ minLength: 1 }), 'Passphrase of the private key.'),
})

/** What the gateway may reach when a request names an address: of a document, or of a webhook. */
export const ReachFields = {
  allowInsecure: flag(false, 'Allow http:// as well as https:// URLs.'),
  allowPrivateNetworks: flag(false, 'Allow addresses of this machine and of private networks.'),
}
