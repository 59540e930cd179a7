// What one event loop has reserved and settled, on its way to the database: into its journal once a turn, and once a second into
// budget_windows, in a batch that is sent again until it is acknowledged. A batch is sent when its records are on the disk, never before:
// after a crash the database must not have a settlement whose reservation the journal still shows as open.
import { type Charge, type SpendBatch } from '../types.js'
import { ChargeSums } from './charge.js'
import { Journal } from './journal/journal.js'
import { type JournalSpace } from './journal/space.js'

const EVERY_MS = 1000
/** Then a new file is begun; the former one is deleted when all of its reservations are settled and stored. */
const MAX_JOURNAL_BYTES = 4_194_304

/** Whether reservations can be written down. */
export type JournalState = 'ok' | 'full' | 'unwritable'

export type LedgerOptions = {
  /** The folder of journals. */
  readonly folder: string
  /** A name that no other journal has. */
  readonly createId: () => string
  /** Stores batches exactly once each, and forgets journals that are gone. Rejects if that is not known to have happened. */
  readonly store: (batches: readonly SpendBatch[], gone: readonly string[]) => Promise<void>
  readonly maxJournalBytes?: number
  /** It is not known what is spent: nothing may be reserved. Absent: it always is. */
  readonly isUnknown?: () => boolean
  /** What journals may take together; absent: as much as they need. */
  readonly space?: JournalSpace
  /** For the log. */
  readonly onState?: (state: JournalState) => void
}

/** A journal that is larger than this is not kept for later when nothing is left to be stored of it. */
const MAX_IDLE_BYTES = 262_144

/** A journal with what of it is not stored yet. */
class Segment {
  readonly journal: Journal
  reservations = 0
  open = 0
  sequence = 0
  stored = 0
  sums = new ChargeSums()
  /** Reservations that wait for the next flush, and its result. */
  unwritten: Entry[] = []
  writing: Writing | null = null

  constructor(journal: Journal) {
    this.journal = journal
  }

  get isDone(): boolean {
    return this.open === 0 && this.stored === this.sequence
  }
}

/** A flush that is to come. */
class Writing {
  tell: (isWritten: boolean) => void = () => undefined
  readonly isWritten = new Promise<boolean>((resolve) => {
    this.tell = resolve
  })
}

/** A reservation as the ledger knows it. */
export type Entry = {
  readonly segment: Segment
  readonly n: number
  /** Within this turn. False: it could not be written down, and nothing more is written of it. */
  readonly written: Promise<boolean>
  state: 'open' | 'settled' | 'lost'
}

const NOT_WRITTEN = Promise.resolve(false)

export class Ledger {
  readonly #options: LedgerOptions
  readonly #segments: Segment[] = []
  #current: Segment | null = null
  #inFlight: readonly SpendBatch[] = []
  #gone: string[] = []
  #turn: NodeJS.Immediate | null = null
  #timer: NodeJS.Timeout | null = null
  #storing: Promise<boolean> = Promise.resolve(true)
  #state: JournalState = 'ok'

  constructor(options: LedgerOptions) {
    this.#options = options
  }

  /** Writes a reservation down, at the end of this turn: its request must not be sent before `written` is true. */
  open(charges: readonly Charge[]): Entry {
    const segment = this.#segment()
    this.#tickSoon()
    if (this.#isClosed()) return { segment, n: 0, written: NOT_WRITTEN, state: 'lost' }
    segment.reservations += 1
    segment.open += 1
    segment.writing ??= new Writing()
    const { reservations: n, writing } = segment
    segment.journal.reserve(n, charges)
    const entry: Entry = { segment, n, written: writing.isWritten, state: 'open' }
    segment.unwritten.push(entry)
    this.#flushSoon()
    return entry
  }

  extend({ segment, n, state }: Entry, charges: readonly Charge[]): void {
    if (state === 'lost') return
    segment.journal.extend(n, charges)
    this.#flushSoon()
  }

  /** Once for each. `isMore`: than was reserved, which a crash in this turn would charge instead. */
  settle(entry: Entry, charges: readonly Charge[], isMore = false): void {
    if (entry.state === 'lost') return
    entry.state = 'settled'
    const { segment, n } = entry
    segment.sequence += 1
    segment.open -= 1
    segment.journal.settle(n, segment.sequence, charges)
    for (const charge of charges) segment.sums.add(charge)
    if (!isMore || !this.#flush(segment)) this.#flushSoon()
  }

  /** Stores everything that is settled. False: some of it could not be stored; the journal has it. */
  store(): Promise<boolean> {
    // One at a time: of two, the later would take what the earlier has collected for sent.
    this.#storing = this.#storing.then(() => this.#storeOnce())
    return this.#storing
  }

  /** Stores what is settled, and deletes journals that are no longer needed. */
  async close(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer)
    if (this.#turn !== null) clearImmediate(this.#turn)
    this.#timer = null
    this.#turn = null
    this.#current = null
    for (const segment of this.#segments) this.#flush(segment)
    const isStored = await this.store()
    // Also where there was nothing left to be stored.
    this.#dropDone()
    if (isStored && this.#gone.length > 0) await this.store()
  }

  /** Nothing may be reserved now. */
  #isClosed(): boolean {
    const { isUnknown, space } = this.#options
    if (isUnknown?.() === true) return true
    if (space?.isFull !== true) return false
    this.#tell('full')
    return true
  }

  #flush(segment: Segment): boolean {
    const hasReservations = segment.writing !== null
    const isWritten = flush(segment)
    if (hasReservations) this.#tell(isWritten ? 'ok' : 'unwritable')
    return isWritten
  }

  #tell(state: JournalState): void {
    if (state !== this.#state) this.#options.onState?.(state)
    this.#state = state
  }

  #segment(): Segment {
    const { folder, createId, space, maxJournalBytes = MAX_JOURNAL_BYTES } = this.#options
    if (this.#current !== null && this.#current.journal.length < maxJournalBytes) return this.#current
    const segment = new Segment(new Journal(folder, createId(), space))
    this.#segments.push(segment)
    this.#current = segment
    return segment
  }

  #flushSoon(): void {
    this.#turn ??= setImmediate(this.#onTurn)
  }

  readonly #onTurn = (): void => {
    this.#turn = null
    for (const segment of this.#segments) this.#flush(segment)
  }

  #tickSoon(): void {
    this.#timer ??= setTimeout(() => this.#tick(), EVERY_MS).unref()
  }

  #tick(): void {
    this.#timer = null
    void this.store().then(() => {
      this.#dropDone()
      const isIdle = this.#segments.every(({ isDone }) => isDone) && this.#gone.length === 0
      if (!isIdle) this.#tickSoon()
    })
  }

  async #storeOnce(): Promise<boolean> {
    // One whose answer is missing goes first, as it was: it may have been stored.
    if (this.#inFlight.length === 0 && !(await this.#collect())) return false
    const batches = this.#inFlight
    const gone = this.#gone
    if (batches.length === 0 && gone.length === 0) return true
    try {
      await this.#options.store(batches, gone)
    } catch {
      return false
    }
    this.#inFlight = []
    this.#gone = this.#gone.slice(gone.length)
    for (const { journal, sequence } of batches) {
      const segment = this.#segments.find((each) => each.journal.id === journal)
      if (segment !== undefined) segment.stored = sequence
    }
    this.#dropDone()
    return true
  }

  /** The next batches, once their records are on the disk. */
  async #collect(): Promise<boolean> {
    const batches: { segment: Segment; batch: SpendBatch }[] = []
    for (const segment of this.#segments) {
      if (!this.#flush(segment)) return false
      if (segment.sequence === segment.stored) continue
      const { journal, sequence, sums } = segment
      batches.push({ segment, batch: { journal: journal.id, sequence, charges: sums.all } })
    }
    for (const { segment } of batches) segment.sums = new ChargeSums()
    for (const { journal } of this.#segments) {
      if (await journal.sync()) continue
      for (const { segment, batch } of batches) for (const charge of batch.charges) segment.sums.add(charge)
      return false
    }
    this.#inFlight = batches.map(({ batch }) => batch)
    return true
  }

  #dropDone(): void {
    for (const segment of [...this.#segments]) {
      if (!segment.isDone) continue
      if (segment === this.#current) {
        if (segment.journal.length <= MAX_IDLE_BYTES) continue
        this.#current = null
      }
      this.#segments.splice(this.#segments.indexOf(segment), 1)
      segment.journal.remove()
      this.#gone.push(segment.journal.id)
    }
  }
}

/** False: it could not be written; whoever waits for a reservation is told. */
function flush(segment: Segment): boolean {
  const { journal, unwritten, writing } = segment
  const isWritten = journal.flush()
  if (writing === null) return isWritten
  segment.unwritten = []
  segment.writing = null
  if (!isWritten) for (const entry of unwritten) lose(entry)
  writing.tell(isWritten)
  return isWritten
}

function lose(entry: Entry): void {
  if (entry.state === 'open') entry.segment.open -= 1
  entry.state = 'lost'
}
