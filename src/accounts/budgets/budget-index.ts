// One event loop's view of which budgets there are. It catches up with the shared memory when it is asked, so that a budget holds on all
// event loops as soon as it is created.
import { BUDGET_SLOT, type BudgetFacts, type BudgetMemory, decodeFacts, HEADER, RECORD_BYTES, RING } from './memory.js'

const WORD_BYTES = Int32Array.BYTES_PER_ELEMENT

/** A budget and its place in the cells. */
export type Known = BudgetFacts & {
  readonly slot: number
  /** The digest of the end user for whom it holds; absent for all others. */
  readonly user?: string
}

/** Matches a glob with a name. Passed in: globs are routing's. */
export type MatchesGlob = (glob: string, name: string) => boolean

/** Whose budgets are looked up; null where there is no such subject. */
export type Subjects = {
  readonly keyId: string | null
  readonly teamId: string | null
  readonly tags: readonly string[]
  readonly model: string
}

export class BudgetIndex {
  readonly #header: Int32Array
  readonly #changed: Int32Array
  readonly #slots: Int32Array
  readonly #records: Int32Array
  readonly #matchesGlob: MatchesGlob
  readonly #bySlot = new Map<number, Known>()
  /** By kind and subject; globs of models apart. */
  readonly #bySubject = new Map<string, Known[]>()
  readonly #ofModels = new Map<number, Known>()
  #changes = 0

  constructor({ header, changed, slots, records }: BudgetMemory, matchesGlob: MatchesGlob) {
    this.#header = new Int32Array(header)
    this.#changed = new Int32Array(changed)
    this.#slots = new Int32Array(slots)
    this.#records = new Int32Array(records)
    this.#matchesGlob = matchesGlob
    // Before the first request: many budgets take a while.
    if (!this.isEmpty) this.#catchUp()
  }

  /** There is no budget at all. */
  get isEmpty(): boolean {
    return Atomics.load(this.#header, HEADER.count) === 0
  }

  /** The gateway is configured so that it cannot hold any: other nodes spend from them unseen. */
  get isUnheld(): boolean {
    return Atomics.load(this.#header, HEADER.unheld) !== 0
  }

  /** Another number after each change of which budgets there are. */
  get version(): number {
    if (Atomics.load(this.#header, HEADER.changes) !== this.#changes) this.#catchUp()
    return this.#changes
  }

  /** Which budgets hold depends on the model. */
  get hasModels(): boolean {
    return this.#ofModels.size > 0
  }

  /** In the order of their slots, which is the order in which every event loop reserves; null for none. */
  find({ keyId, teamId, tags, model }: Subjects): readonly Known[] | null {
    if (this.isEmpty) return null
    if (Atomics.load(this.#header, HEADER.changes) !== this.#changes) this.#catchUp()
    const found = [...(this.#bySubject.get('gateway ') ?? [])]
    if (keyId !== null) found.push(...(this.#bySubject.get(`key ${keyId}`) ?? []))
    if (teamId !== null) found.push(...(this.#bySubject.get(`team ${teamId}`) ?? []))
    for (const tag of new Set(tags)) found.push(...(this.#bySubject.get(`tag ${tag}`) ?? []))
    for (const known of this.#ofModels.values()) if (this.#matchesGlob(known.subject, model)) found.push(known)
    return found.length === 0 ? null : found.sort((a, b) => a.slot - b.slot)
  }

  /** Those that hold for each end user of a key, of its team or of the gateway; to be asked after `find` or `version`. */
  ofUsers(keyId: string | null, teamId: string | null): readonly Known[] {
    const found = [...(this.#bySubject.get('user ') ?? [])]
    if (keyId !== null) found.push(...(this.#bySubject.get(`user ${keyId}`) ?? []))
    if (teamId !== null) found.push(...(this.#bySubject.get(`user ${teamId}`) ?? []))
    return found
  }

  /** Those of one key alone, in the order of their slots. */
  ofKey(keyId: string): readonly Known[] {
    if (this.isEmpty) return []
    if (Atomics.load(this.#header, HEADER.changes) !== this.#changes) this.#catchUp()
    return (this.#bySubject.get(`key ${keyId}`) ?? []).toSorted((a, b) => a.slot - b.slot)
  }

  #catchUp(): void {
    const changes = Atomics.load(this.#header, HEADER.changes)
    const missed = (changes - this.#changes) | 0
    const slots = missed > 0 && missed < RING ? this.#changedSince(changes) : null
    // The writer may have gone round meanwhile.
    const isWhole = ((Atomics.load(this.#header, HEADER.changes) - this.#changes) | 0) < RING
    if (slots !== null && isWhole) for (const slot of slots) this.#read(slot)
    else for (let slot = 0; slot < Atomics.load(this.#header, HEADER.used); slot++) this.#read(slot)
    this.#changes = changes
  }

  #changedSince(changes: number): Set<number> {
    const slots = new Set<number>()
    for (let n = this.#changes; n !== changes; n = (n + 1) | 0) slots.add(Atomics.load(this.#changed, n & (RING - 1)))
    return slots
  }

  #read(slot: number): void {
    const at = slot * BUDGET_SLOT.words
    const former = this.#bySlot.get(slot)
    for (;;) {
      const version = Atomics.load(this.#slots, at + BUDGET_SLOT.version)
      if (version === 0) {
        this.#forget(former)
        return
      }
      const bytes = this.#copy(slot, Atomics.load(this.#slots, at + BUDGET_SLOT.bytes))
      // The same version after as before: the record was not replaced meanwhile.
      if (Atomics.load(this.#slots, at + BUDGET_SLOT.version) !== version) continue
      const facts = decodeFacts(bytes)
      if (former?.epoch === facts.epoch) return
      this.#forget(former)
      this.#add({ ...facts, slot })
      return
    }
  }

  #copy(slot: number, length: number): Uint8Array {
    const bytes = Math.min(Math.max(0, length), RECORD_BYTES)
    const words = new Int32Array(Math.ceil(bytes / WORD_BYTES))
    const from = (slot * RECORD_BYTES) / WORD_BYTES
    for (let i = 0; i < words.length; i++) words[i] = Atomics.load(this.#records, from + i)
    return new Uint8Array(words.buffer, 0, bytes)
  }

  #add(known: Known): void {
    this.#bySlot.set(known.slot, known)
    if (known.kind === 'model') this.#ofModels.set(known.slot, known)
    else {
      const subject = subjectOf(known)
      this.#bySubject.set(subject, [...(this.#bySubject.get(subject) ?? []), known])
    }
  }

  #forget(known: Known | undefined): void {
    if (known === undefined) return
    this.#bySlot.delete(known.slot)
    this.#ofModels.delete(known.slot)
    const subject = subjectOf(known)
    const others = (this.#bySubject.get(subject) ?? []).filter(({ slot }) => slot !== known.slot)
    if (others.length === 0) this.#bySubject.delete(subject)
    else this.#bySubject.set(subject, others)
  }
}

function subjectOf({ kind, subject }: Known): string {
  return `${kind} ${subject}`
}
