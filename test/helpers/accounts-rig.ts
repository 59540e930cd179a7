// The thread of keys and teams, run in this thread: its store as event loops have it, and the directory as a map.
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { type Test } from 'tap'
import { connectAccounts } from '../../src/accounts/client.js'
import { type AccountsWriter } from '../../src/accounts/database/feed.js'
import { encodeAccount } from '../../src/accounts/directory/memory.js'
import { type AccountsStart, type FromAccounts, type ToAccounts } from '../../src/accounts/messages.js'
import { type AccountsStore } from '../../src/accounts/store.js'
import { serveAccounts } from '../../src/accounts/thread.js'
import {
  type Account,
  type AuditRecord,
  type Listing,
  type NewKey,
  type NewTeam,
  type SecretDigest,
} from '../../src/accounts/types.js'
import { GatewayError } from '../../src/errors.js'

/** What event loops would read. */
export class MapDirectory implements AccountsWriter {
  readonly keys = new Map<string, { readonly account: Account; readonly secrets: readonly SecretDigest[] }>()
  /** Keys beyond these do not fit. */
  room = Infinity

  check(listings: readonly Pick<Listing, 'account'>[]): void {
    const further = listings.filter(({ account }) => !this.keys.has(account.id)).length
    if (further > 0 && this.keys.size + further > this.room) throw new GatewayError('storage_full')
  }

  put(account: Account, secrets: readonly SecretDigest[]): void {
    this.check([{ account }])
    this.keys.set(account.id, { account, secrets })
  }

  remove(id: string): void {
    this.keys.delete(id)
  }

  *entries(): ReturnType<AccountsWriter['entries']> {
    for (const { account, secrets } of this.keys.values()) yield { account: encodeAccount(account).toString(), secrets }
  }

  named(name: string): Account | null {
    return [...this.keys.values()].find(({ account }) => account.name === name)?.account ?? null
  }

  /** The key that has a secret with this digest. */
  find(digest: string): { readonly account: Account; readonly validUntilMs: number | null } | null {
    for (const { account, secrets } of this.keys.values()) {
      const secret = secrets.find((each) => each.digest === digest)
      if (secret !== undefined) return { account, validUntilMs: secret.validUntilMs }
    }
    return null
  }
}

/** One node: a thread with its directory. */
export type AccountsNode = {
  readonly directory: MapDirectory
  readonly store: AccountsStore
  /** The store as one more event loop has it. */
  connect(): AccountsStore
  reserve(fileKeys: readonly string[]): Promise<void>
  /** What the thread told its parent of troubles. */
  readonly troubles: string[]
  close(): Promise<void>
}

/** @throws GatewayError where the thread refuses */
export async function openNode(t: Test, start: AccountsStart, directory = new MapDirectory()): Promise<AccountsNode> {
  const { port1: parent, port2 } = new MessageChannel()
  const troubles: string[] = []
  const tell = (message: ToAccounts, moved: MessagePort[] = []): void => parent.postMessage(message, moved)
  const answerTo = (type: FromAccounts['type']): Promise<FromAccounts> =>
    new Promise((resolve) => {
      const onMessage = (message: FromAccounts): void => {
        if (message.type !== type && message.type !== 'refused') return
        parent.off('message', onMessage)
        resolve(message)
      }
      parent.on('message', onMessage)
    })
  parent.on('message', (message: FromAccounts) => {
    if (message.type === 'trouble') troubles.push(message.message)
  })
  const opened = answerTo('opened')
  const gone = new Promise<void>((resolve) => parent.once('close', () => resolve()))
  void serveAccounts(start, port2, directory)
  const first = await opened
  if (first.type === 'refused') throw GatewayError.of(first.error)
  const connect = (): AccountsStore => {
    const { port1, port2: theirs } = new MessageChannel()
    tell({ type: 'connect', port: theirs }, [theirs])
    return connectAccounts(port1)
  }
  let closing: Promise<void> | null = null
  const close = (): Promise<void> => {
    if (closing === null) tell({ type: 'close' })
    closing ??= gone
    return closing
  }
  t.teardown(close)
  return {
    ...{ directory, troubles, connect, close, store: connect() },
    async reserve(fileKeys) {
      const answer = answerTo('reserved')
      tell({ type: 'reserve', fileKeys })
      const message = await answer
      if (message.type === 'reserved' && message.error !== null) throw GatewayError.of(message.error)
    },
  }
}

/** A node whose database can be opened again. */
export type AccountsRig = {
  readonly node: AccountsNode
  /** Moves the thread's clock. */
  advance(ms: number): void
  /** Closes the node and opens the same database again. */
  reopen(): Promise<AccountsNode>
}

export type RigOptions = { readonly maxKeys?: number; readonly fileKeys?: readonly string[] }
export type OpenAccounts = (t: Test, options?: RigOptions) => Promise<AccountsRig>

export const NO_LIMITS = { requestsPerMinute: null, tokensPerMinute: null, concurrency: null }

/** A key with everything at its default. */
export function newKey(name: string, members: Partial<NewKey> = {}): NewKey {
  return {
    ...{ name, team: null, models: ['*'], limits: NO_LIMITS, tags: [], metadata: {} },
    ...{ trustUser: false, disabled: false, expiresAtMs: null },
    ...members,
  }
}

/** A team with everything at its default. */
export function newTeam(name: string, members: Partial<NewTeam> = {}): NewTeam {
  return { name, models: ['*'], limits: NO_LIMITS, metadata: {}, disabled: false, ...members }
}

/** All of the audit, in pages of three. */
export async function everyEntry(store: AccountsStore): Promise<AuditRecord[]> {
  const entries: AuditRecord[] = []
  for (let after: number | null = null; ; ) {
    const page: { entries: AuditRecord[]; next: number | null } = await store.listAudit({ after, limit: 3 })
    entries.push(...page.entries)
    if (page.next === null) return entries
    after = page.next
  }
}
