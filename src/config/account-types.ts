// Keys and teams in a database, as the effective configuration has them. Plain data.

/** `off`: the keys of the configuration file are all there are. Otherwise every request needs a key, also while there is none. */
export type AccountsConfig = {
  readonly store: 'off' | 'sqlite'
  /** Absolute; of the sqlite store. */
  readonly path: string
  /** Memory of the directory that all event loops read is set aside for so many. */
  readonly maxKeys: number
}

/** Whether requests need a gateway key. */
export function needsKeys({
  keys,
  accounts,
}: {
  readonly keys: readonly unknown[]
  readonly accounts: AccountsConfig
}): boolean {
  return keys.length > 0 || accounts.store !== 'off'
}
