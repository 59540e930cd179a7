// Authenticates a request by the credential in its head, and counts and locks out addresses that guess keys. Also reads the caller's
// own key for a provider, which is not a gateway key.
import { GatewayError } from '../../errors.js'
import { type Credentials, type KeyIdentity } from '../../pipeline/client.js'
import { isExpiry } from '../../pipeline/stages/authenticate.js'
import { type FrontView, type ServerContext } from '../context.js'
import { type RequestHead } from '../engine/request-head.js'

/** The parts of a request that identify its caller. */
export type Asking = {
  readonly head: RequestHead
  readonly view: Pick<FrontView, 'pipeline' | 'proxies'>
  /** 4 or 16 bytes, none after the end; read only where failed keys are limited. */
  readonly clientAddress: Uint8Array
}

/** The placeholder for a provider's name in a path: there a caller may send a key of its own for it. */
export const PROVIDER_PART = '{provider}'
/** Secrets that the gateway makes begin with it. */
const OWN_PREFIX = 'sk-sluice-'
const READS: ReadonlySet<string> = new Set(['GET', 'HEAD'])
/** Printable ASCII without blanks, and no longer than any vendor's: what else could be sent on in a header. */
const CALLER_KEY = /^[\x21-\x7e]{1,4096}$/

/**
 * The key of a request. `authorization` is used if the head has no credential.
 * @throws unauthenticated; rate_limited for an address that tries keys; forbidden for a browser token of another origin
 */
export function identify(asking: Asking, failedKeys: ServerContext['failedKeys'], authorization: string): KeyIdentity {
  const { head } = asking
  if (head.isCredentialDoubled) throw new GatewayError('unauthenticated')
  const hasOwn = authorization === '' || hasCredential(head)
  const credentials = hasOwn ? head : { authorization, apiKey: '' }
  if (failedKeys?.isQuiet === false) failedKeys.check(asking.clientAddress)
  const key = authenticate(asking, failedKeys, credentials)
  if (key.token !== undefined) checkOrigin(head, key.token)
  return key
}

function authenticate(asking: Asking, failedKeys: ServerContext['failedKeys'], credentials: Credentials): KeyIdentity {
  try {
    return asking.view.pipeline.authenticate(credentials)
  } catch (thrown) {
    // Neither a request without a key nor a page that has been open for too long is a guess.
    const isRefused = thrown instanceof GatewayError && thrown.data.code === 'unauthenticated'
    const isGuess = isRefused && !isExpiry(thrown) && hasCredential(credentials)
    if (failedKeys !== null && isGuess) noteFailedKey(asking, failedKeys)
    throw thrown
  }
}

/** Browsers leave the header out of a page's reads from its own origin, and of nothing else. @throws forbidden */
function checkOrigin({ origin, method }: RequestHead, { origin: only }: NonNullable<KeyIdentity['token']>): void {
  if (only === null || origin === only || (origin === '' && READS.has(method))) return
  throw new GatewayError('forbidden', { message: 'This browser token is for pages of another origin.' })
}

/**
 * Identifies the caller of what a browser token does not permit, whatever its key does.
 * @throws forbidden for a token; as `identify`
 */
export function authenticateKey(exchange: { authenticate(): KeyIdentity }): KeyIdentity {
  const key = exchange.authenticate()
  refuseToken(key)
  return key
}

/** @throws forbidden for a browser token */
export function refuseToken({ token }: KeyIdentity): void {
  if (token === undefined) return
  throw new GatewayError('forbidden', { message: 'A token does not permit this; it needs the key itself.' })
}

/** A trusted proxy that forwards no address is not counted: that would lock out all of its clients. */
function noteFailedKey({ view, clientAddress }: Asking, failedKeys: NonNullable<ServerContext['failedKeys']>): void {
  if (!view.proxies.has(clientAddress)) failedKeys.note(clientAddress)
}

/** True if the request presents a key. */
export function hasCredential({ authorization, apiKey, vendorKey = '' }: Credentials): boolean {
  return authorization !== '' || apiKey !== '' || vendorKey !== ''
}

/**
 * The caller's own key for a provider: an `x-api-key` that is not a gateway key. Null if there is none.
 * @throws invalid_request when it cannot be a key
 */
export function callerKeyOf({ head, view }: Pick<Asking, 'head' | 'view'>): string | null {
  const { apiKey } = head
  if (apiKey === '' || isGatewayKey(apiKey, view)) return null
  // A key of ours that is no longer valid, or not yet: no provider must see it.
  if (apiKey.startsWith(OWN_PREFIX)) throw new GatewayError('unauthenticated')
  if (CALLER_KEY.test(apiKey)) return apiKey
  throw new GatewayError('invalid_request', {
    message: 'X-API-Key must be 1 to 4096 printable ASCII characters without spaces.',
  })
}

function isGatewayKey(apiKey: string, { pipeline }: Asking['view']): boolean {
  try {
    return pipeline.authenticate({ authorization: '', apiKey }).index >= 0
  } catch {
    return false
  }
}
