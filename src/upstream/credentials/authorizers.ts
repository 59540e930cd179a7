// The two ways in which credentials that expire authorize a request: a bearer token, and a signature over the request itself.
// Loaded with the first request to a provider that has such credentials.
import { type CredentialsConfig } from '../../config/credential-types.js'
import { type Authorization, type Authorizer, type Outgoing } from './authorizer.js'
import { obtainKeys, type SigningKeys } from './keys.js'
import { Renewing, type RenewingOptions } from './renewing.js'
import { sign } from './signature.js'
import { obtainToken } from './tokens.js'

type Signing = Extract<CredentialsConfig, { kind: 'signature' }>
type Bearer = Extract<CredentialsConfig, { kind: 'bearer' }>

const UNAUTHENTICATED = 401
const FORBIDDEN = 403
/** A signature is valid for five minutes around its date; a server further away never accepts it. */
const MAX_SKEW_MS = 5 * 60_000

/** The one for this kind; `options`: of what renews them. */
export function createAuthorizer(credentials: CredentialsConfig, options: RenewingOptions): Authorizer {
  return credentials.kind === 'bearer' ? new BearerTokens(credentials, options) : new Signatures(credentials, options)
}

class BearerTokens implements Authorizer {
  readonly #tokens: Renewing<string>

  constructor({ source, proxy }: Bearer, options: RenewingOptions) {
    const { nowMs } = options
    this.#tokens = new Renewing(() => obtainToken(source, { proxy, nowMs }), options)
  }

  async authorize(): Promise<Authorization> {
    const token = await this.#tokens.get()
    return { headers: ['authorization', `Bearer ${token}`], used: token }
  }

  mayHelpAgain({ used }: Authorization, status: number): boolean {
    return status === UNAUTHENTICATED && typeof used === 'string' && this.#tokens.reject(used)
  }

  get secrets(): readonly string[] {
    return this.#tokens.known
  }
}

/** What a signature was made with. */
type Signed = { readonly keys: SigningKeys; readonly skewMs: number }

class Signatures implements Authorizer {
  readonly #config: Signing
  readonly #nowMs: () => number
  readonly #keys: Renewing<SigningKeys>
  readonly #isFixed: boolean
  /** Derived keys; made anew with each pair of keys. */
  #cache = new Map<string, ArrayBuffer>()
  #cachedFor: SigningKeys | null = null
  /** How far the server's clock is ahead of ours, where that matters. */
  #skewMs = 0

  constructor(config: Signing, options: RenewingOptions) {
    this.#config = config
    this.#nowMs = options.nowMs
    this.#isFixed = config.source.from === 'keys'
    this.#keys = new Renewing(() => obtainKeys(config.source, config.proxy), options)
  }

  async authorize({ url, contentType, body }: Outgoing): Promise<Authorization> {
    const keys = await this.#keys.get()
    const { region, service } = this.#config
    if (this.#cachedFor !== keys) {
      this.#cache = new Map()
      this.#cachedFor = keys
    }
    const signable = { method: 'POST', url, headers: { 'content-type': contentType }, body: inOnePiece(body) }
    const used: Signed = { keys, skewMs: this.#skewMs }
    const scope = { region, service, cache: this.#cache, nowMs: this.#nowMs() + used.skewMs }
    return { headers: await sign(signable, keys, scope), used }
  }

  /** A date too far away is the reason whatever the answer says; the next signature has the server's. */
  mayHelpAgain(sent: Authorization, status: number, dateHeader: string | null): boolean {
    if (status !== UNAUTHENTICATED && status !== FORBIDDEN) return false
    const { keys, skewMs } = sent.used as Signed
    const serverMs = Date.parse(dateHeader ?? '')
    const nowMs = this.#nowMs()
    // By the date that it was sent with: another request may have learnt the server's meanwhile.
    if (Math.abs(serverMs - (nowMs + skewMs)) > MAX_SKEW_MS) {
      this.#skewMs = serverMs - nowMs
      return true
    }
    return !this.#isFixed && this.#keys.reject(keys)
  }

  get secrets(): readonly string[] {
    return this.#keys.known.flatMap(({ secretAccessKey, sessionToken }) =>
      sessionToken === null ? [secretAccessKey] : [secretAccessKey, sessionToken],
    )
  }
}

function inOnePiece(body: Outgoing['body']): Uint8Array {
  return body instanceof Uint8Array ? body : Buffer.concat(body)
}
