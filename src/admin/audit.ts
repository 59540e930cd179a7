// The audit trail: one line in the log for each thing that an operator did, and the last of them for the API, in memory or a database. Entries hold no secret:
// what they say before and after is what the API shows.
import { type AccountCalls } from '../accounts/store.js'
import { toGatewayError } from '../errors.js'
import { type Log } from '../telemetry/records.js'

export type AuditEvent = {
  /** The name of the admin key. */
  readonly by: string
  /** Such as `stream.cancel`, `provider.pause`. */
  readonly action: string
  /** The name of what it was done to. */
  readonly target: string
  /** What it was, and what it is now; null where there was none, or is none any more. */
  readonly before: object | null
  readonly after: object | null
}

/** An event with its time and its place in the order of all. */
export type AuditItem = AuditEvent & { readonly seq: number; readonly atMs: number }

export type Audit = {
  /** Never throws: what was done is done. */
  note(event: AuditEvent): void
  /** For what the store of accounts has recorded with the change itself: the line alone. */
  log(event: AuditEvent): void
  /** The newest first; `after` is the `seq` of the last one of the page before. */
  list(
    after: number | null,
    limit: number,
  ): Promise<{ readonly items: readonly AuditItem[]; readonly next: number | null }>
}

/** Held where no store keeps them. */
const MAX_ITEMS = 500

/** An audit that lives as long as the process; the log keeps it. */
export class MemoryAudit implements Audit {
  readonly #log: () => Pick<Log, 'info'>
  readonly #nowMs: () => number
  /** The newest last. */
  readonly #items: AuditItem[] = []
  #count = 0

  /** `nowMs`: Unix time. */
  constructor(log: () => Pick<Log, 'info'>, nowMs: () => number) {
    this.#log = log
    this.#nowMs = nowMs
  }

  log(event: AuditEvent): void {
    logAudit(this.#log(), event)
  }

  note(event: AuditEvent): void {
    logAudit(this.#log(), event)
    this.#count += 1
    this.#items.push({ ...event, seq: this.#count, atMs: this.#nowMs() })
    if (this.#items.length > MAX_ITEMS) this.#items.shift()
  }

  async list(after: number | null, limit: number) {
    const older = this.#items.filter(({ seq }) => after === null || seq < after).reverse()
    const items = older.slice(0, limit)
    return { items, next: items.length < older.length ? (items.at(-1)?.seq ?? null) : null }
  }
}

/** An audit in the database of accounts, which records changes of keys and teams by itself. */
export class StoreAudit implements Audit {
  readonly #store: Pick<AccountCalls, 'appendAudit' | 'listAudit'>
  readonly #log: () => Pick<Log, 'info' | 'warn'>
  readonly #nowMs: () => number

  /** `nowMs`: Unix time. */
  constructor(
    store: Pick<AccountCalls, 'appendAudit' | 'listAudit'>,
    log: () => Pick<Log, 'info' | 'warn'>,
    nowMs: () => number,
  ) {
    this.#store = store
    this.#log = log
    this.#nowMs = nowMs
  }

  log(event: AuditEvent): void {
    logAudit(this.#log(), event)
  }

  note(event: AuditEvent): void {
    logAudit(this.#log(), event)
    this.#store.appendAudit({ ...event, atMs: this.#nowMs() }).catch((thrown: unknown) => {
      const { action, target } = event
      this.#log().warn({ action, target, reason: toGatewayError(thrown).message }, 'audit entry not stored')
    })
  }

  async list(after: number | null, limit: number) {
    const { entries, next } = await this.#store.listAudit({ after, limit })
    return { items: entries, next }
  }
}

/** One line for each event, whatever else keeps it. */
export function logAudit(log: Pick<Log, 'info'>, { by, action, target, before, after }: AuditEvent): void {
  log.info({ by, action, target, before, after }, 'admin action')
}
