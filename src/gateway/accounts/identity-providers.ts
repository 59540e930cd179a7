// The identity providers of one event loop: their keys live as long as the loop, so that a reload forgets none, and each generation says which
// of them it trusts.
import { readFile } from 'node:fs/promises'
import { Jwks } from '../../accounts/jwt/jwks.js'
import { JwtBearers } from '../../accounts/jwt/jwt-bearers.js'
import { type AuthConfig } from '../../config/listener-types.js'
import { isJsonObject, type JsonObject } from '../../model/json.js'

export type IdentityProvidersOptions = {
  /** Any clock that only goes forward. */
  readonly nowMs: () => number
  readonly onFailure: (place: string, reason: string) => void
}

export class IdentityProviders {
  readonly #options: IdentityProvidersOptions
  /** By the place of their keys. */
  readonly #jwks = new Map<string, Jwks>()

  constructor(options: IdentityProvidersOptions) {
    this.#options = options
  }

  /** Null where none is trusted. Begins to fetch the keys of those that are new. */
  bearersOf({ jwt }: AuthConfig): JwtBearers | null {
    if (jwt.length === 0) return null
    const sources = jwt.map((entry) => ({ ...entry, keys: this.#keysAt(entry) }))
    return new JwtBearers(sources, Date.now)
  }

  #keysAt({ jwksUrl, jwksFile }: AuthConfig['jwt'][number]): Jwks {
    const place = jwksUrl ?? jwksFile ?? ''
    const known = this.#jwks.get(place)
    if (known !== undefined) return known
    const { nowMs, onFailure } = this.#options
    const load = jwksUrl === null ? () => readSet(place) : () => fetchSet(jwksUrl)
    const jwks = new Jwks({ load, nowMs, onFailure: (reason) => onFailure(place, reason) })
    this.#jwks.set(place, jwks)
    void jwks.refresh()
    return jwks
  }
}

/** What is needed for it is loaded where it is used. */
async function fetchSet(url: string): Promise<JsonObject> {
  const { askIssuerForJson } = await import('../../upstream/credentials/issuer-request.js')
  return askIssuerForJson({ url, method: 'GET' })
}

async function readSet(path: string): Promise<JsonObject> {
  const value: unknown = JSON.parse(await readFile(path, 'utf8'))
  if (!isJsonObject(value)) throw new Error('it has no JSON object')
  return value
}
