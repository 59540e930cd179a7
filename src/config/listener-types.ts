// The listeners as the effective configuration has them: TLS of either one, the admin API's own listener with its keys, and who is
// let in beside the keys of the file. Plain data.

export type ListenerTls = {
  readonly certFile: string
  readonly keyFile: string
  readonly passphrase: string | null
  /** Fingerprint of the certificate file when it was read, to detect a renewed one. */
  readonly fingerprint?: string
}

/** The admin API. It is off without a key. */
export type AdminConfig = {
  readonly host: string
  readonly port: number
  /** Further names in the Host header, beside addresses and names without a dot. */
  readonly allowedHosts: readonly string[]
  readonly tls: ListenerTls | null
  readonly keys: readonly AdminKeyConfig[]
  /** For bodies of the last requests, in bytes; 0: none are kept. */
  readonly maxKeptBytes: number
}

/** Who may use the admin API. Only the SHA-256 of a key is kept. */
export type AdminKeyConfig = {
  readonly name: string
  /** 64 hex digits. */
  readonly keySha256: string
  readonly role: AdminRole
}

/** `write` includes `read`. */
export type AdminRole = 'read' | 'write'

/** Asymmetric signatures alone: whoever knows a public key must not be able to make one. */
export const JWT_ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'EdDSA'] as const

/** One identity provider whose tokens are accepted. One of `jwksUrl` and `jwksFile`, which is absolute, is set. */
export type IdentityProviderConfig = {
  readonly issuer: string
  readonly audience: string
  readonly jwksUrl: string | null
  readonly jwksFile: string | null
  readonly algorithms: readonly (typeof JWT_ALGORITHMS)[number][]
  /** Names of claims; null: not used. */
  readonly claims: {
    readonly key: string | null
    readonly team: string | null
    readonly models: string | null
    readonly user: string | null
  }
}

export type AuthConfig = { readonly jwt: readonly IdentityProviderConfig[] }
