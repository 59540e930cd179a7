// The listeners as the effective configuration has them: TLS of either one, and the admin API's own listener with its keys. Plain data.

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
