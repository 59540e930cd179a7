// One request to whoever issues credentials: a token endpoint or a metadata server. Bounded in time and size, on a connection of its
// own, never redirected; what fails is named without any of the request or the answer, which hold secrets.
import { Client } from 'undici'
import { isJsonObject, type JsonObject } from '../../model/json.js'
import { createConnector } from '../pool/connector.js'
import { parseProxy } from '../proxy.js'

export type IssuerRequest = {
  readonly url: string
  readonly method: 'GET' | 'POST' | 'PUT'
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as a form. */
  readonly form?: Readonly<Record<string, string>>
  /** URL of the proxy on the way there; null or absent for a direct connection. */
  readonly proxy?: string | null
}

/** Why there are no credentials, in words that hold none. */
export class CredentialsError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'CredentialsError'
  }
}

/** From a request to the whole answer. A metadata server answers in milliseconds, or is not there. */
const TIMEOUT_MS = 10_000
const CONNECT_MS = 3000
/** Tokens have a few KB. */
const MAX_ANSWER_BYTES = 256 * 1024
const MAX_HEADER_BYTES = 32 * 1024
/** The codes of OAuth (RFC 6749 5.2), as far as they are words. */
const ERROR_WORD = /^[a-z][a-z_]{1,63}$/

/** The answer's text. @throws CredentialsError */
export async function askIssuer(request: IssuerRequest): Promise<string> {
  const { url, method, headers = {}, form, proxy = null } = request
  const { origin, pathname, search, host } = new URL(url)
  const connect = createConnector({
    provider: { timeouts: { connectMs: CONNECT_MS }, tls: null },
    proxy: proxy === null || !origin.startsWith('https:') ? null : parseProxy(proxy),
  })
  const client = new Client(origin, { connect, maxHeaderSize: MAX_HEADER_BYTES, allowH2: false })
  try {
    const answer = await client.request({
      path: pathname + search,
      method,
      headers: { accept: 'application/json', ...(form === undefined ? {} : FORM_TYPE), ...headers },
      body: form === undefined ? null : new URLSearchParams(form).toString(),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    const text = await readText(answer.body, host)
    if (answer.statusCode !== 200) throw refused(host, answer.statusCode, text)
    return text
  } catch (error) {
    if (error instanceof CredentialsError) throw error
    throw new CredentialsError(`${host} could not be asked (${codeOf(error)})`, error)
  } finally {
    client.destroy().catch(ignore)
  }
}

/** The answer as a JSON object. @throws CredentialsError */
export async function askIssuerForJson(request: IssuerRequest): Promise<JsonObject> {
  const text = await askIssuer(request)
  const json = parseOrNull(text)
  if (json === null) throw new CredentialsError(`${new URL(request.url).host} sent no JSON object`)
  return json
}

const FORM_TYPE = { 'content-type': 'application/x-www-form-urlencoded' }

async function readText(body: AsyncIterable<Buffer>, host: string): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > MAX_ANSWER_BYTES) throw new CredentialsError(`${host} sent more than ${MAX_ANSWER_BYTES} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** Only the code of the error is shown: its description may quote what was sent. */
function refused(host: string, status: number, text: string): CredentialsError {
  const word = parseOrNull(text)?.error
  const code = typeof word === 'string' && ERROR_WORD.test(word) ? `, ${word}` : ''
  return new CredentialsError(`${host} answered ${status}${code}`)
}

function parseOrNull(text: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(text)
    return isJsonObject(value) ? value : null
  } catch {
    return null
  }
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name
}

function ignore(): void {
  // The answer is there.
}
