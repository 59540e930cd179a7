// Keeps secrets out of the log: by value (every secret of the configuration, and anything that looks like a key), and by the name
// of a field. Errors are reduced to name, code and message, without attached objects such as a request or a body.
import { hash } from 'node:crypto'
import { GatewayError } from '../../errors.js'
import { maskKeys } from '../../wire/mask-keys.js'
import { patternOf, secretForms } from '../../wire/secret-forms.js'

/** Replaces a secret. */
export const REDACTED = '[redacted]'
/** Foreign text (model names, provider messages) is cut to this many characters. */
const MAX_TEXT_CHARS = 500
/** How much of a longer text is searched before it is cut. */
const MAX_SCANNED_CHARS = 4000
/** Shorter ones would mask ordinary words. */
const MIN_SECRET_CHARS = 6
const MAX_DEPTH = 5
const MAX_ITEMS = 50
const MAX_CAUSES = 4

const SECRET_NAME =
  /^(?:proxy-)?authorization$|^(?:set-)?cookie$|key$|keys$|^x-goog-api-key$|token$|secret$|password$|passphrase$|credentials?$/i

/** The form of every key's name; a secret of ours is longer, and masked by its own form. */
const KEY_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

/** An error as the log shows it. */
export type CauseLine = {
  readonly name: string
  readonly code?: string
  readonly message: string
  /** Where it was thrown: the first line of the stack below the message. */
  readonly at?: string
  readonly cause?: CauseLine
}

export type KnownKeys = {
  /** SHA-256 in hex of gateway keys: a client that puts its key in the wrong place must not find it in the log. */
  readonly digests?: readonly string[]
  /** Names of gateway keys, which a field called `key` may show. */
  readonly names?: readonly string[]
  /** There are other keys, with names of the same form. */
  readonly hasFurtherNames?: boolean
}

export type Redactor = {
  /** The text without secrets, and not too long. */
  text(value: string): string
  /** Whether there is a secret in a text of any length. */
  hasSecret(value: string): boolean
  /** A plain copy of log fields: secrets removed, errors cut down, depth and length bounded. */
  fields(value: object): object
  /** The loggable parts of a thrown value; null for none. */
  cause(thrown: unknown): CauseLine | null
}

/**
 * A redactor that knows these secrets by value, also in the forms JSON and URLs give them.
 */
export function createRedactor(secrets: readonly string[], known: KnownKeys = {}): Redactor {
  const withoutKeys = createKeyFinder(known.digests ?? [])
  const keyNames = new Set(known.names)
  const forms = secretForms(secrets, MIN_SECRET_CHARS)
  const pattern = patternOf(forms)
  const longest = forms.reduce((length, form) => Math.max(length, form.length), 0)

  function text(value: string): string {
    const scanned = value.length > MAX_SCANNED_CHARS ? value.slice(0, MAX_SCANNED_CHARS) : value
    const isWhole = scanned === value
    const plain = decoded(scanned)
    // A text stays coded if nothing is found in it.
    const isFound = plain !== scanned && clean(plain, true) !== plain
    const found = clean(isFound ? plain : scanned, isWhole)
    return found.length > MAX_TEXT_CHARS ? `${found.slice(0, MAX_TEXT_CHARS)}...` : found
  }

  function hasSecret(value: string): boolean {
    const plain = decoded(value)
    return clean(value, true) !== value || (plain !== value && clean(plain, true) !== plain)
  }

  function clean(scanned: string, isWhole: boolean): string {
    const unkeyed = withoutKeys(scanned)
    const withoutKnown = pattern === null ? unkeyed : unkeyed.replace(pattern, REDACTED)
    // The cut may have split a secret, whose rest is then at the very end.
    const kept = isWhole ? withoutKnown : withoutKnown.slice(0, Math.max(0, withoutKnown.length - longest))
    return maskKeys(kept, REDACTED)
  }

  function cause(thrown: unknown, depth = 0): CauseLine | null {
    if (thrown === null || thrown === undefined || depth === MAX_CAUSES) return null
    if (!(thrown instanceof Error))
      return { name: typeof thrown, message: typeof thrown === 'string' ? text(thrown) : '' }
    const code = codeOf(thrown)
    const at = placeOf(thrown)
    const below = cause(thrown.cause ?? (thrown instanceof AggregateError ? thrown.errors[0] : null), depth + 1)
    return {
      name: text(thrown.name),
      ...(code === null ? {} : { code: text(code) }),
      message: text(messageOf(thrown)),
      ...(at === null ? {} : { at: text(at) }),
      ...(below === null ? {} : { cause: below }),
    }
  }

  function copy(value: unknown, depth: number): unknown {
    if (typeof value === 'string') return text(value)
    if (typeof value === 'bigint') return String(value)
    if (typeof value !== 'object' || value === null) return typeof value === 'function' ? undefined : value
    if (value instanceof Error) return cause(value)
    if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
    if (depth === MAX_DEPTH) return '[...]'
    if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map((item) => copy(item, depth + 1))
    return copyFields(value, depth)
  }

  /** `key` holds a gateway key's name in the lines of exchanges, so it may in all others. */
  function isKeyName(name: string, field: unknown): boolean {
    if (name !== 'key' || typeof field !== 'string') return false
    return keyNames.has(field) || (known.hasFurtherNames === true && KEY_NAME.test(field))
  }

  function copyFields(value: object, depth: number): object {
    const entries = Object.entries(value).slice(0, MAX_ITEMS)
    return Object.fromEntries(
      entries.map(([name, field]) => [
        text(name),
        isContent(field) && SECRET_NAME.test(name) && !isKeyName(name, field) ? REDACTED : copy(field, depth + 1),
      ]),
    )
  }

  return { text, hasSecret, cause: (thrown) => cause(thrown), fields: (value) => copyFields(value, 0) }
}

/** Words between spaces and quotes, and the parts of such a word; shorter ones cannot be keys. */
const WORD = /[^\s"'`]{8,}/g
const PART = /[^.,;:=?&/]{8,}|[^,;=?&/]{8,}/g
/** The same model names come again and again. */
const MAX_CLEAN_TEXTS = 1000

/** Removes words whose SHA-256 is among the digests. */
function createKeyFinder(digests: readonly string[]): (text: string) => string {
  if (digests.length === 0) return (text) => text
  const known = new Set(digests)
  const clean = new Set<string>()
  const isKey = (word: string): boolean => known.has(hash('sha256', word, 'hex'))
  const cleanWord = (word: string, _at: number, text: string): string => {
    // A text that is a single word has been checked already.
    if (word !== text && isKey(word)) return REDACTED
    const bare = word.replace(/[.,;:!?)]+$/, '')
    if (bare !== word && isKey(bare)) return REDACTED + word.slice(bare.length)
    return word.replace(PART, (part) => (part !== word && isKey(part) ? REDACTED : part))
  }
  return (text) => {
    if (clean.has(text)) return text
    const found = isKey(text) ? REDACTED : text.replace(WORD, cleanWord)
    if (clean.size >= MAX_CLEAN_TEXTS) clean.clear()
    if (found === text) clean.add(text)
    return found
  }
}

/** A path comes in the coding of URLs, in which the characters around a key, or of it, may be codes. */
function decoded(text: string): string {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch {
    return text.replace(/%[0-9a-f]{2}/gi, (code) => String.fromCharCode(Number.parseInt(code.slice(1), 16)))
  }
}

/** A count or a flag under a secret's name is not a secret. */
function isContent(field: unknown): boolean {
  return typeof field === 'string' || (typeof field === 'object' && field !== null)
}

function codeOf(error: Error): string | null {
  if (error instanceof GatewayError) return error.data.code
  return 'code' in error && (typeof error.code === 'string' || typeof error.code === 'number')
    ? String(error.code)
    : null
}

/** Some of Node's messages quote invalid input: JSON.parse the body, argument checks the value. Removes that part. */
function messageOf(error: Error): string {
  if (error instanceof SyntaxError) return error.message.replace(/(?:, |: |\.\.\.)".*$/s, '')
  return error.message.replace(/\.? Received .*$/s, '')
}

/** Only for foreign errors, whose origin matters; the gateway's own are thrown on purpose. */
function placeOf(error: Error): string | null {
  if (error instanceof GatewayError) return null
  return (
    /\n\s+at (.+)/.exec(error.stack?.slice(error.stack.indexOf(error.message) + error.message.length) ?? '')?.[1] ??
    null
  )
}
