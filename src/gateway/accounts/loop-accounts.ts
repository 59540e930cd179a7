// What one event loop knows of the keys of the database, and tells it: it reads the directory, and notes which keys are used.
import { randomBytes } from 'node:crypto'
import { BrowserTokens } from '../../accounts/browser-tokens.js'
import { type DirectoryMemory } from '../../accounts/directory/memory.js'
import { DirectoryReader } from '../../accounts/directory/reader.js'
import { readSharedSecret } from '../../accounts/directory/shared-secret.js'
import { Standing } from '../../accounts/directory/standing.js'
import { type KeyUse } from '../../accounts/store.js'
import { type Config } from '../../config/types.js'
import { type LimitedAccounts } from '../../limit/limiter.js'
import { type LimiterPlaces } from '../../limit/local/cells.js'
import { type AccountSource } from '../../pipeline/context.js'

/** For the pipelines and limiters of one event loop, whatever their configuration. */
export class LoopAccounts implements AccountSource, LimitedAccounts {
  readonly nowMs: () => number
  /** Sizes, for the places of limits. */
  readonly memory: DirectoryMemory
  readonly standing: Standing
  readonly #reader: DirectoryReader
  #used = new Set<string>()

  /** `nowMs`: Unix time. */
  constructor(memory: DirectoryMemory, nowMs: () => number = Date.now) {
    this.memory = memory
    this.nowMs = nowMs
    this.standing = new Standing(memory.standing)
    this.#reader = new DirectoryReader(memory)
  }

  get isStale(): boolean {
    return this.standing.isStale
  }

  find(digest: string) {
    return this.#reader.find(digest, this.nowMs())
  }

  byIndex(index: number) {
    return this.#reader.byIndex(index)
  }

  bySlot(slot: number) {
    return this.#reader.bySlot(slot)
  }

  byId(id: string) {
    return this.#reader.byId(id)
  }

  byName(name: string) {
    return this.#reader.byName(name)
  }

  noteUsed(id: string): void {
    this.#used.add(id)
  }

  /** Keys that were used since the last call. */
  takeUses(): KeyUse[] {
    if (this.#used.size === 0) return []
    const atMs = this.nowMs()
    const uses = [...this.#used].map((id) => ({ id, atMs }))
    this.#used = new Set()
    return uses
  }
}

/** The places of keys of a database, and of their teams, behind those of the configuration; and how many places there are then. */
export function accountPlaces(
  fileRoom: number,
  directory: Pick<DirectoryMemory, 'maxKeys' | 'maxTeams'> | null,
): { readonly keyRoom: number; readonly accounts: NonNullable<LimiterPlaces['accounts']> | null } {
  if (directory === null) return { keyRoom: fileRoom, accounts: null }
  const { maxKeys, maxTeams } = directory
  const accounts = { firstKey: fileRoom, keys: maxKeys, firstTeam: fileRoom + maxKeys, teams: maxTeams }
  return { keyRoom: fileRoom + maxKeys + maxTeams, accounts }
}

/** Browser tokens, signed with the secret of the configuration, or else the one that the database keeps; null where none are issued. */
export function createBrowserTokens(
  { accounts: { tokenSecret, previousTokenSecret } }: Pick<Config, 'accounts'>,
  accounts: Pick<LoopAccounts, 'memory'> | null,
): BrowserTokens | null {
  const common = { nowMs: Date.now, random: randomBytes }
  if (tokenSecret !== null) {
    const secrets = previousTokenSecret === null ? [tokenSecret] : [tokenSecret, previousTokenSecret]
    return new BrowserTokens({ ...common, secrets: () => secrets })
  }
  if (accounts === null) return null
  const { tokenSecret: memory } = accounts.memory
  return new BrowserTokens({ ...common, secrets: () => [readSharedSecret(memory)].filter((secret) => secret !== null) })
}
