// The credentials of the providers on this event loop. They outlive a reload that leaves their provider as it is. What obtains and applies them is loaded with the first
// request that needs them; a provider with a fixed key has none of this.
import { type CredentialsConfig } from '../../config/credential-types.js'
import { type ProviderConfig } from '../../config/types.js'
import { GatewayError } from '../../errors.js'
import { type Authorization, type Authorizer, type Outgoing } from './authorizer.js'
import { type RenewingOptions } from './renewing.js'

const NOTHING: readonly string[] = Object.freeze([])

export class Credentials {
  readonly #config: CredentialsConfig
  readonly #options: RenewingOptions
  #opening: Promise<Authorizer> | null = null
  #authorizer: Authorizer | null = null

  constructor(config: CredentialsConfig, options: RenewingOptions) {
    this.#config = config
    this.#options = options
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
    this.#authorizer = createAuthorizer(this.#config, this.#options)
    return this.#authorizer
  }
}

export type CredentialStoreOptions = {
  /** The wall clock. */
  readonly nowMs: () => number
  /** Credentials of this provider were not obtained, or not renewed. */
  readonly onFailure: (provider: ProviderConfig, error: unknown) => void
}

/** By provider, which is known by its configuration object. */
export class CredentialStore {
  readonly #options: CredentialStoreOptions
  readonly #known = new WeakMap<ProviderConfig, Credentials>()

  constructor(options: CredentialStoreOptions) {
    this.#options = options
  }

  /** Null for a provider without credentials of this kind. */
  of(provider: ProviderConfig): Credentials | null {
    const { credentials = null } = provider
    if (credentials === null) return null
    let known = this.#known.get(provider)
    if (known === undefined) {
      const { nowMs, onFailure } = this.#options
      known = new Credentials(credentials, { nowMs, onFailure: (error) => onFailure(provider, error) })
      this.#known.set(provider, known)
    }
    return known
  }
}
