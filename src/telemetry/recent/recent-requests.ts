// The last requests of one event loop, for the admin API. Bounded: those that reached a provider or were answered have places of their
// own, so that a flood of refusals does not push them out. Filled where exchanges settle, read when somebody asks.
import { type Outcome } from '../../model/event.js'
import { type ExchangeRecord } from '../records.js'

/** A record and the Unix time of its end. It holds no thrown value, which may hold anything. */
export type RecentRequest = { readonly atMs: number; readonly record: ExchangeRecord }

/** What is asked for: members that are absent match all. */
export type RecentFilter = {
  readonly id?: string
  readonly key?: string
  readonly model?: string
  readonly provider?: string
  readonly surface?: string
  readonly outcome?: string
  readonly status?: number
  /** Those that failed by no fault of their client: 5xx, or broken off by provider or gateway. */
  readonly failed?: boolean
  /** Those that ended before. */
  readonly beforeMs?: number
}

/** One or two KB each. */
const MAX_ANSWERED = 800
const MAX_REFUSED = 200
/** Of a text that a client chose: no name that anybody uses is longer. */
const MAX_MODEL_CHARS = 256

export class RecentRequests {
  readonly #answered = new Ring(MAX_ANSWERED)
  readonly #refused = new Ring(MAX_REFUSED)
  readonly #nowMs: () => number

  /** `nowMs`: Unix time. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** Called once for each exchange, at its end, and for each request that never became one. */
  note(record: ExchangeRecord): void {
    const isRefused = record.attempts === 0 && record.shared === null
    const ring = isRefused ? this.#refused : this.#answered
    ring.add({ atMs: this.#nowMs(), record: bounded(record) })
  }

  /** The newest first. */
  find(filter: RecentFilter, limit: number): RecentRequest[] {
    const found = [...this.#answered.all(), ...this.#refused.all()].filter((each) => matches(each, filter))
    return found.sort((a, b) => b.atMs - a.atMs).slice(0, limit)
  }
}

/** Mostly the record itself: a copy takes 2 us. */
function bounded(record: ExchangeRecord): ExchangeRecord {
  const { model, cause } = record
  const isLong = model !== null && model.length > MAX_MODEL_CHARS
  if (!isLong && cause === null) return record
  return { ...record, cause: null, model: isLong ? `${model.slice(0, MAX_MODEL_CHARS)}...` : model }
}

function matches({ record, atMs }: RecentRequest, filter: RecentFilter): boolean {
  const { id, key, model, provider, surface, outcome, status, failed, beforeMs } = filter
  if (id !== undefined && record.requestId !== id) return false
  if (key !== undefined && record.keyName !== key) return false
  if (model !== undefined && record.model !== model) return false
  if (provider !== undefined && record.provider !== provider) return false
  if (surface !== undefined && record.surface !== surface) return false
  if (outcome !== undefined && record.outcome !== outcome) return false
  if (status !== undefined && record.status !== status) return false
  if (failed !== undefined && isFailed(record) !== failed) return false
  return beforeMs === undefined || atMs < beforeMs
}

function isFailed({ outcome, status }: ExchangeRecord): boolean {
  // A client that has gone has no status of its own.
  return FAILED.has(outcome) || (status >= LEAST_FAULT && outcome !== 'client_gone')
}

const FAILED: ReadonlySet<Outcome> = new Set<Outcome>(['upstream_cut', 'stalled', 'failed', 'drained'])
const LEAST_FAULT = 500

/** The last so many. */
class Ring {
  readonly #max: number
  readonly #entries: RecentRequest[] = []
  #next = 0

  constructor(max: number) {
    this.#max = max
  }

  add(entry: RecentRequest): void {
    this.#entries[this.#next] = entry
    this.#next = (this.#next + 1) % this.#max
  }

  all(): readonly RecentRequest[] {
    return this.#entries
  }
}
