// The credentials of the providers on this event loop. They outlive a reload that leaves their provider as it is. What obtains and applies them is loaded with the first
// request that needs them; a provider with a fixed key has none of this.
import { type CredentialsConfig } from '../../config/credential-types.js'
import { type ProviderConfig } from '../../config/types.js'
import { GatewayError } from '../../errors.js'
import { type Authorization, type Authorizer, type Outgoing } from './authorizer.js'

const NOTHING: readonly string[] = Object.freeze([])

export class Credentials {
  readonly #config: CredentialsConfig
  readonly #nowMs: () => number
  #opening: Promise<Authorizer> | null = null
  #authorizer: Authorizer | null = null

  /** `nowMs`: the wall clock. */
  constructor(config: CredentialsConfig, nowMs: () => number) {
    this.#config = config
    this.#nowMs = nowMs
  }

  /** @throws upstream_auth if there are no credentials; the cause, which only the log shows, says why */
  async authorize(request: Outgoing): Promise<Authorization> {
    this.#opening ??= this.#open()
    try {
      const authorizer = await this.#opening
      return await authorizer.authorize(request)
    } catch (cause) {
      const message = 'The gateway could not obtain its credentials for this provider.'
      throw new GatewayError('upstream_auth', { message, cause })
    }
  }

  mayHelpAgain(sent: Authorization, status: number, dateHeader: string | null): boolean {
    return this.#authorizer?.mayHelpAgain(sent, status, dateHeader) ?? false
  }

  get secrets(): readonly string[] {
    return this.#authorizer?.secrets ?? NOTHING
  }

  async #open(): Promise<Authorizer> {
    const { createAuthorizer } = await import('./authorizers.js')
    this.#authorizer = createAuthorizer(this.#config, this.#nowMs)
    return this.#authorizer
  }
}

/** By provider, which is known by its configuration object. */
export class CredentialStore {
  readonly #nowMs: () => number
  readonly #known = new WeakMap<ProviderConfig, Credentials>()

  /** `nowMs`: the wall clock. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** Null for a provider without credentials of this kind. */
  of(provider: ProviderConfig): Credentials | null {
    const { credentials = null } = provider
    if (credentials === null) return null
    let known = this.#known.get(provider)
    if (known === undefined) {
      known = new Credentials(credentials, this.#nowMs)
      this.#known.set(provider, known)
    }
    return known
  }
}
