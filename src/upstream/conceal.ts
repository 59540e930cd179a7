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

/** The text without a beginning of the secret at its very end. */
function withoutBeginning(text: string, secret: string): string {
  const tail = text.toLowerCase()
  const wanted = secret.toLowerCase()
  for (let length = Math.min(wanted.length - 1, tail.length); length >= MIN_REST_CHARS; length--) {
    if (tail.endsWith(wanted.slice(0, length))) return text.slice(0, text.length - length) + MASK
  }
  return text
}
