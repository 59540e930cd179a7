// Removes a provider's secrets from its answers: some providers quote the key, or a whole request head, in an error, and error
// texts reach clients. By value, since not every key looks like one; nothing else is changed.
import { type ProviderConfig } from '../config/types.js'
import { GatewayError } from '../errors.js'
import { type ErrorData } from '../model/error.js'
import { patternOf, secretForms } from '../wire/secret-forms.js'

const MASK = '***'
/** Shorter ones (`none`, `EMPTY`, `ollama`) are placeholders of local servers, and words of honest messages. */
const MIN_SECRET_CHARS = 8
/** For content, where a header value such as a version (`2023-06-01`) may occur legitimately. */
const MIN_HEADER_SECRET_CHARS = 16
/** A mask that replaces a number would break the surrounding JSON. */
const DIGITS = /^\d*$/
/** Messages are cut to a length, perhaps through a secret: this much of its beginning is not left at the end. */
const MIN_REST_CHARS = 4

/** The owner of the secrets: the provider, and the caller whose key was sent in place of the provider's. */
export type Secretive = Pick<ProviderConfig, 'apiKey' | 'headers'> & {
  readonly callerKey?: string | null
  /** Credentials that the provider has at present, besides its key. */
  readonly tokens?: readonly string[]
}

/** The same error without the provider's key and configured headers; the error itself if it contains none. */
export function concealSecrets(provider: Secretive, error: GatewayError): GatewayError {
  const { data } = error
  const message = concealText(provider, data.message)
  const param = concealWord(provider, data.param)
  const upstreamType = concealWord(provider, data.upstreamType)
  const upstreamCode = concealWord(provider, data.upstreamCode)
  const isClean =
    message === data.message &&
    param === data.param &&
    upstreamType === data.upstreamType &&
    upstreamCode === data.upstreamCode
  const cause = concealCause(provider, error.cause)
  if (isClean && cause === error.cause) return error
  const concealed: ErrorData = { ...data, message, param, upstreamType, upstreamCode }
  return new GatewayError(data.code, { ...concealed, ...(cause === undefined ? {} : { cause }) })
}

/** The log knows the configured secrets by value, but not a caller's key: a cause that may quote one is reduced to its text. */
function concealCause(provider: Secretive, cause: unknown): unknown {
  if (cause === undefined || (provider.callerKey ?? null) === null) return cause
  const words = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause)
  return new Error(concealText(provider, words))
}

/** A word that contains a secret is not shown. */
function concealWord(provider: Secretive, word: string | null): string | null {
  return word === null || concealText(provider, word) === word ? word : null
}

/** The text without the provider's key and configured headers, in any of their forms. */
export function concealText(provider: Secretive, text: string): string {
  const forms = secretForms(
    [provider.apiKey ?? '', provider.callerKey ?? '', ...(provider.tokens ?? []), ...Object.values(provider.headers)],
    MIN_SECRET_CHARS,
  )
  const pattern = patternOf(forms)
  return pattern === null ? text : forms.reduce(withoutBeginning, text.replace(pattern, MASK))
}

/** Removes the provider's secrets from bytes that pass unchanged; returns the same object if there are none. */
export function byteConceal(provider: Secretive): (bytes: Buffer) => Buffer {
  const headers = Object.values(provider.headers).filter((value) => value.length >= MIN_HEADER_SECRET_CHARS)
  const secrets = [provider.apiKey ?? '', ...(provider.tokens ?? []), ...headers]
  const pattern = patternOf(secretForms(secrets, MIN_SECRET_CHARS))
  if (pattern === null) return (bytes) => bytes
  return (bytes) => {
    // As latin1, so that bytes that are not text stay unchanged.
    const text = bytes.toString('latin1')
    const shown = text.replace(pattern, MASK)
    return shown === text ? bytes : Buffer.from(shown, 'latin1')
  }
}

/** Bytes of a whole answer without the secrets of a provider; the same object if it contains none. */
export type Conceal = (bytes: Uint8Array) => Uint8Array

/** The secrets of a configuration's providers as whole answers are searched for them: made once for each provider. */
export class AnswerSecrets {
  readonly #known = new WeakMap<ProviderConfig, Conceal>()
  readonly #tokensOf: (provider: ProviderConfig) => readonly string[]

  /** `tokensOf`: the credentials that a provider has at present, besides its key. */
  constructor(tokensOf: (provider: ProviderConfig) => readonly string[]) {
    this.#tokensOf = tokensOf
  }

  /** For content: searches only for secrets that are too long to be a word of an ordinary answer. */
  of(provider: ProviderConfig): Conceal {
    let conceal = this.#known.get(provider)
    if (conceal === undefined) {
      const fixed = concealAnswer(provider)
      const isFixed = (provider.credentials ?? null) === null
      conceal = isFixed ? fixed : (bytes) => concealTokens(fixed(bytes), this.#tokensOf(provider))
      this.#known.set(provider, conceal)
    }
    return conceal
  }
}

/**
 * One native search for a key of plain letters, and hardly any answer holds one; only then the pattern is run. Base64 is not searched:
 * no header has a key in it, and it would double the cost of every answer.
 */
function concealAnswer({ apiKey, headers }: ProviderConfig): Conceal {
  const secrets = [apiKey ?? '', ...Object.values(headers)].filter((secret) => !DIGITS.test(secret))
  const forms = secretForms(secrets, MIN_HEADER_SECRET_CHARS).filter((form) => !isBase64Of(form, secrets))
  const needles = forms.map((form) => Buffer.from(form))
  const pattern = patternOf(forms)
  return (bytes) => {
    const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    for (const needle of needles) if (buffer.includes(needle)) return replaceIn(buffer, pattern)
    return bytes
  }
}

/** They change, so their patterns are not kept; hardly any answer holds one. */
function concealTokens(bytes: Uint8Array, tokens: readonly string[]): Uint8Array {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return tokens.some((token) => buffer.includes(token)) ? replaceIn(buffer, patternOf([...tokens])) : bytes
}

function isBase64Of(form: string, secrets: readonly string[]): boolean {
  return !secrets.includes(form) && secrets.includes(Buffer.from(form, 'base64').toString())
}

function replaceIn(bytes: Buffer, pattern: RegExp | null): Buffer {
  // As latin1, so that bytes that are not text stay unchanged.
  return pattern === null ? bytes : Buffer.from(bytes.toString('latin1').replace(pattern, MASK), 'latin1')
}

/** The text without a beginning of the secret at its very end. */
function withoutBeginning(text: string, secret: string): string {
  const tail = text.toLowerCase()
  const wanted = secret.toLowerCase()
  for (let length = Math.min(wanted.length - 1, tail.length); length >= MIN_REST_CHARS; length--) {
    if (tail.endsWith(wanted.slice(0, length))) return text.slice(0, text.length - length) + MASK
  }
  return text
}
