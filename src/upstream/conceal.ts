// Takes a provider's secrets out of what the provider says: some quote the key, or a whole request head, in the error that
// refuses it, and an error's words reach clients. By value, since not every key looks like one; nothing else is changed.
import { type ProviderConfig } from '../config/types.js'
import { GatewayError } from '../errors.js'
import { type ErrorData } from '../model/error.js'
import { patternOf, secretForms } from '../wire/secret-forms.js'

const MASK = '***'
/** Shorter ones (`none`, `EMPTY`, `ollama`) are placeholders of local servers, and words of honest messages. */
const MIN_SECRET_CHARS = 8
/** In content, where a header's version or name (`2023-06-01`) may stand with every right. */
const MIN_HEADER_SECRET_CHARS = 16
/** A mask in the place of a number would break the JSON around it. */
const DIGITS = /^\d*$/
/** Messages are cut to a length, perhaps through a secret: this much of its beginning is not left at the end. */
const MIN_REST_CHARS = 4

/** Whose secrets: the provider's own, and the key of the caller that was sent in place of them. */
export type Secretive = Pick<ProviderConfig, 'apiKey' | 'headers'> & { readonly callerKey?: string | null }

/** The same error without the provider's key and configured headers; the error itself where there is none of them in it. */
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

/** The log knows the configured secrets by value, but not a caller's key: a cause that may quote one is cut to its words. */
function concealCause(provider: Secretive, cause: unknown): unknown {
  if (cause === undefined || (provider.callerKey ?? null) === null) return cause
  const words = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause)
  return new Error(concealText(provider, words))
}

/** A word that holds a secret is no word. */
function concealWord(provider: Secretive, word: string | null): string | null {
  return word === null || concealText(provider, word) === word ? word : null
}

/** The text without the provider's key and configured headers, in whatever form they stand there. */
export function concealText(provider: Secretive, text: string): string {
  const forms = secretForms(
    [provider.apiKey ?? '', provider.callerKey ?? '', ...Object.values(provider.headers)],
    MIN_SECRET_CHARS,
  )
  const pattern = patternOf(forms)
  return pattern === null ? text : forms.reduce(withoutBeginning, text.replace(pattern, MASK))
}

/** Takes the provider's secrets out of bytes that pass as they are; where there is none in them it gives back the same object. */
export function byteConceal(provider: Secretive): (bytes: Buffer) => Buffer {
  const headers = Object.values(provider.headers).filter((value) => value.length >= MIN_HEADER_SECRET_CHARS)
  const pattern = patternOf(secretForms([provider.apiKey ?? '', ...headers], MIN_SECRET_CHARS))
  if (pattern === null) return (bytes) => bytes
  return (bytes) => {
    // Byte for byte: what is no text stays as it is.
    const text = bytes.toString('latin1')
    const shown = text.replace(pattern, MASK)
    return shown === text ? bytes : Buffer.from(shown, 'latin1')
  }
}

/** Bytes of a whole answer without the secrets of a provider; the same object where there is none in it. */
export type Conceal = (bytes: Uint8Array) => Uint8Array

/** The secrets of a configuration's providers as whole answers are searched for them: made once for each provider. */
export class AnswerSecrets {
  readonly #known = new WeakMap<ProviderConfig, Conceal>()

  /** For content, so that only what is long enough to be no word of an honest answer is looked for. */
  of(provider: ProviderConfig): Conceal {
    let conceal = this.#known.get(provider)
    if (conceal === undefined) {
      conceal = concealAnswer(provider)
      this.#known.set(provider, conceal)
    }
    return conceal
  }
}

/**
 * One native search for a key of plain letters, and hardly any answer holds one; only then the pattern is run. Base64 is not looked
 * for: no header has a key in it, and it would double the cost of every answer.
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

function isBase64Of(form: string, secrets: readonly string[]): boolean {
  return !secrets.includes(form) && secrets.includes(Buffer.from(form, 'base64').toString())
}

function replaceIn(bytes: Buffer, pattern: RegExp | null): Buffer {
  // Byte for byte: what is no text stays as it is.
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
