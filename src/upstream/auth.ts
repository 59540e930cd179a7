// Request headers: built once per provider and configuration, as the flat arrays that undici sends. Per request only the few
// headers of the dialect are added. The provider's key is used here and nowhere else.
import { type ProviderConfig } from '../config/types.js'
import { GatewayError } from '../errors.js'

/** Flat `name, value, name, value` lists, lower-case names. */
export type FixedHeaders = {
  readonly stream: readonly string[]
  readonly whole: readonly string[]
  /** Names that a parameter header may replace: the dialect's own defaults, unless the operator has set them. */
  readonly replaceable: ReadonlySet<string>
}

/** Parameter headers of one request, lower-case name -> value. */
export type ParameterHeaders = Readonly<Record<string, string>>

/** Set by the connection itself; configured ones would break framing. */
const CONNECTION_HEADERS: ReadonlySet<string> = new Set(
  'connection content-length expect host keep-alive te trailer transfer-encoding upgrade'.split(' '),
)
const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/
/** RFC 9110 field-value: visible ASCII, obs-text, spaces and tabs. No CR, LF or NUL. */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/
const NO_PARAMETERS: readonly string[] = Object.freeze([])

/**
 * Builds both header lists of a provider. Later ones win: ours, the dialect's, the key, the operator's `headers`.
 * @throws misconfigured when a name or value cannot be sent; the message never holds the value
 */
export function buildHeaders(provider: ProviderConfig, dialectHeaders: ParameterHeaders): FixedHeaders {
  const headers = new Map([
    ['user-agent', 'sluice'],
    ['content-type', 'application/json'],
    ['accept', 'application/json'],
    // Compressed streams would be held back by whole deflate blocks.
    ['accept-encoding', 'identity'],
  ])
  for (const [name, value] of Object.entries(dialectHeaders)) headers.set(name, value)
  const key = authHeader(provider)
  if (key !== null) headers.set(key[0], key[1])
  for (const [name, value] of Object.entries(provider.headers)) headers.set(name.toLowerCase(), value)
  for (const [name, value] of headers) checkHeader(provider, name, value)
  const replaceable = Object.keys(dialectHeaders).filter((name) => provider.headers[name] === undefined)
  const hasOwnAccept = 'accept' in dialectHeaders || 'accept' in provider.headers
  const streamHeaders = hasOwnAccept ? headers : new Map(headers).set('accept', 'text/event-stream')
  return { whole: flatten(headers), stream: flatten(streamHeaders), replaceable: new Set(replaceable) }
}

/** The headers in which any wire has its key: the operator's values are not sent for a caller with its own key. */
const KEY_HEADERS: ReadonlySet<string> = new Set(['authorization', 'x-api-key', 'api-key', 'x-goog-api-key', 'cookie'])

/** The provider for a caller with its own key: that key, and none of the operator's. */
export function withCallerKey(provider: ProviderConfig, callerKey: string): ProviderConfig {
  const own = provider.auth.kind === 'header' ? provider.auth.name.toLowerCase() : 'authorization'
  const headers = Object.entries(provider.headers).filter(([name]) => !KEY_HEADERS.has(name) && name !== own)
  return { ...provider, apiKey: callerKey, headers: Object.fromEntries(headers) }
}

/** Both lists with these headers at their end; the names must not be in them yet. */
export function withHeaders(fixed: FixedHeaders, headers: readonly string[]): FixedHeaders {
  const { stream, whole, replaceable } = fixed
  return { stream: [...stream, ...headers], whole: [...whole, ...headers], replaceable }
}

/** The list for one request. A parameter header is added, or replaces the dialect's default; it never touches another. */
export function withParameters(
  fixed: FixedHeaders,
  isStream: boolean,
  parameters: ParameterHeaders,
): readonly string[] {
  const base = isStream ? fixed.stream : fixed.whole
  const added = acceptParameters(fixed, base, parameters)
  if (added.length === 0) return base
  const list: string[] = []
  for (let i = 0; i < base.length; i += 2) {
    const name = base[i] ?? ''
    if (!hasName(added, name)) list.push(name, base[i + 1] ?? '')
  }
  list.push(...added)
  return list
}

/** The media types of one request, in place of the fixed ones; null leaves those. */
export type MediaHeaders = { readonly accept: string | null; readonly contentType: string | null }

/** The list with these media types. The caller has checked their values. */
export function withMedia(headers: readonly string[], media: MediaHeaders | null): readonly string[] {
  if (media === null) return headers
  const { accept, contentType } = media
  const list = [...headers]
  for (let i = 0; i < list.length; i += 2) {
    if (accept !== null && list[i] === 'accept') list[i + 1] = accept
    if (contentType !== null && list[i] === 'content-type') list[i + 1] = contentType
  }
  return list
}

function acceptParameters(
  fixed: FixedHeaders,
  base: readonly string[],
  parameters: ParameterHeaders,
): readonly string[] {
  let added: string[] | null = null
  for (const name in parameters) {
    const value = parameters[name] ?? ''
    if (!NAME.test(name) || !VALUE.test(value) || CONNECTION_HEADERS.has(name)) continue
    if (hasName(base, name) && !fixed.replaceable.has(name)) continue
    added ??= []
    added.push(name, value)
  }
  return added ?? NO_PARAMETERS
}

function hasName(list: readonly string[], name: string): boolean {
  for (let i = 0; i < list.length; i += 2) if (list[i] === name) return true
  return false
}

function authHeader(provider: ProviderConfig): readonly [string, string] | null {
  if (provider.apiKey === null) return null
  switch (provider.auth.kind) {
    case 'bearer':
      return ['authorization', `Bearer ${provider.apiKey}`]
    case 'header':
      return [provider.auth.name.toLowerCase(), provider.apiKey]
    case 'none':
      return null
  }
}

function checkHeader(provider: ProviderConfig, name: string, value: string): void {
  if (NAME.test(name) && VALUE.test(value) && !CONNECTION_HEADERS.has(name)) return
  const what = CONNECTION_HEADERS.has(name)
    ? 'is set by the connection itself'
    : 'contains a character that is not allowed in a header'
  const message = `Header ${JSON.stringify(name)} of provider ${provider.name} ${what}.`
  throw new GatewayError('misconfigured', { message })
}

function flatten(headers: ReadonlyMap<string, string>): readonly string[] {
  return Object.freeze([...headers].flat())
}
