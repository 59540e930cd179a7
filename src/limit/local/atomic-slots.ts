// Concurrency slots counted in shared memory: the gateway's, every key's, team's, provider's and target's. A slot of the gateway, one of
// the key and one of its team are taken all or none. Waiting for one is queue.ts. Counts never fall below zero.

import { isAccountIndex, type LimitedAccounts, slotOfIndex } from '../limiter.js'
import { type LimitScope } from '../refusal.js'
import { type Gate } from './queue.js'
import { type AccountPlaces, Turns, turnCellCount, waitersAt } from './turns.js'

/** Counter cells before those of keys, providers and targets. */
const FREED = 0
const WAITING_LOOPS = 1
const GATEWAY = 2
const FIRST_KEY = 3
/** A caller without a key, or an index that is not configured: not counted. */
const NO_CELL = -1

export type SlotCaps = {
  readonly gateway: number | null
  readonly keys: readonly (number | null)[]
  readonly providers: readonly (number | null)[]
  /** Of the models, one after the other. */
  readonly targets: readonly (number | null)[]
}

/** The cell of each key, provider and target by its index, and how many of each there are cells for. */
export type SlotPlaces = {
  readonly keys: readonly number[]
  readonly providers: readonly number[]
  readonly targets: readonly number[]
  /** `keys`: with those of a database, and their teams. */
  readonly room: { readonly keys: number; readonly providers: number; readonly targets: number }
  /** Absent without a database. */
  readonly accounts?: AccountPlaces
}

/** How many Int32 cells the slots take. */
export function slotCellCount({
  room: { keys, providers, targets },
  accounts,
}: Omit<SlotPlaces, 'keys' | 'providers' | 'targets'>): number {
  return FIRST_KEY + keys + providers + targets + turnCellCount(keys, accounts?.keys)
}

/** Requests that hold a slot of the key or team at a place, and waiters of the key. */
export function placeState(
  cells: Int32Array,
  room: SlotPlaces['room'],
  place: number,
): { taken: number; waiting: number } {
  const turns = cells.subarray(FIRST_KEY + room.keys + room.providers + room.targets)
  return { taken: Atomics.load(cells, FIRST_KEY + place), waiting: waitersAt(turns, room.keys, place) }
}

/** A view of the shared slots; each event loop has its own. */
export class AtomicSlots implements Gate {
  readonly turns: Turns
  readonly #caps: SlotCaps
  readonly #cells: Int32Array
  readonly #keyCells: readonly number[]
  readonly #providerCells: readonly number[]
  readonly #targetCells: readonly number[]
  readonly #accounts: LimitedAccounts | null
  readonly #accountPlaces: AccountPlaces | null
  readonly #teamHolds = new TeamHolds()

  constructor(caps: SlotCaps, cells: Int32Array, places: SlotPlaces, accounts: LimitedAccounts | null = null) {
    this.#accounts = accounts
    this.#accountPlaces = places.accounts ?? null
    this.#caps = caps
    this.#cells = cells
    const firstProvider = FIRST_KEY + places.room.keys
    const firstTarget = firstProvider + places.room.providers
    this.#keyCells = places.keys.map((place) => FIRST_KEY + place)
    this.#providerCells = places.providers.map((place) => firstProvider + place)
    this.#targetCells = places.targets.map((place) => firstTarget + place)
    this.turns = new Turns(cells.subarray(firstTarget + places.room.targets), places, accounts)
  }

  /**
   * Takes a slot of the key, of its team and of the gateway; null, or the scope that is full. The key comes first, so that a key at
   * its cap never shows up in the other counts, not even for a moment.
   */
  tryEnter(keyIndex: number): LimitScope | null {
    if (this.#isFull(GATEWAY, this.#caps.gateway)) return 'gateway'
    const key = this.#keyCell(keyIndex)
    const team = this.#teamCell(keyIndex)
    if (!this.#take(key, this.capOf('key', keyIndex))) return 'key'
    const full = this.#takeBehindKey(team, keyIndex)
    if (full === null) {
      this.#teamHolds.add(keyIndex, team)
      this.turns.take(keyIndex)
      return null
    }
    this.#release(key)
    this.#tellFreed()
    return full
  }

  #takeBehindKey(team: number, keyIndex: number): LimitScope | null {
    if (!this.#take(team, this.capOf('team', keyIndex))) return 'team'
    if (this.#take(GATEWAY, this.#caps.gateway)) return null
    this.#release(team)
    return 'gateway'
  }

  /** Takes all regardless of the caps. */
  hold(keyIndex: number): void {
    const team = this.#teamCell(keyIndex)
    this.#take(this.#keyCell(keyIndex), null)
    this.#take(team, null)
    this.#take(GATEWAY, null)
    this.#teamHolds.add(keyIndex, team)
    this.turns.take(keyIndex)
  }

  /** The scope that is full at this moment, without taking anything. */
  fullScope(keyIndex: number): LimitScope | null {
    if (this.#isFull(GATEWAY, this.#caps.gateway)) return 'gateway'
    return this.ownFullScope(keyIndex)
  }

  /** Whether the key is at its own cap, or its team at its. */
  isKeyFull(keyIndex: number): boolean {
    return this.ownFullScope(keyIndex) !== null
  }

  /** The same, by which of them. */
  ownFullScope(keyIndex: number): 'key' | 'team' | null {
    const key = this.#keyCell(keyIndex)
    if (key !== NO_CELL && this.#isFull(key, this.capOf('key', keyIndex))) return 'key'
    const team = this.#teamCell(keyIndex)
    return team !== NO_CELL && this.#isFull(team, this.capOf('team', keyIndex)) ? 'team' : null
  }

  /** The concurrency of the key or of its team as it is set now; null for no limit. */
  capOf(scope: 'key' | 'team', keyIndex: number): number | null {
    if (!isAccountIndex(keyIndex)) return scope === 'key' ? (this.#caps.keys[keyIndex] ?? null) : null
    const account = this.#accounts?.byIndex(keyIndex)?.account
    return (scope === 'key' ? account?.limits.concurrency : account?.team?.limits.concurrency) ?? null
  }

  /** Slots of the gateway that are free now; infinite without a cap. */
  free(): number {
    const cap = this.#caps.gateway
    return cap === null ? Number.POSITIVE_INFINITY : cap - Atomics.load(this.#cells, GATEWAY)
  }

  /** The team's slot is the one that was taken, whatever the key's team is by now. */
  leave(keyIndex: number): void {
    this.#release(this.#keyCell(keyIndex))
    this.#release(this.#teamHolds.remove(keyIndex) ?? NO_CELL)
    this.#release(GATEWAY)
    this.#tellFreed()
  }

  enterProvider(providerIndex: number): boolean {
    return this.#take(this.#providerCell(providerIndex), this.#caps.providers[providerIndex] ?? null)
  }

  leaveProvider(providerIndex: number): void {
    this.#release(this.#providerCell(providerIndex))
  }

  enterTarget(slot: number): boolean {
    return this.#take(this.#targetCell(slot), this.#caps.targets[slot] ?? null)
  }

  leaveTarget(slot: number): void {
    this.#release(this.#targetCell(slot))
  }

  /** 0 for a slot that is not counted. */
  targetLoad(slot: number): number {
    const cell = this.#targetCell(slot)
    return cell === NO_CELL ? 0 : Atomics.load(this.#cells, cell)
  }

  active(): number {
    return Atomics.load(this.#cells, GATEWAY)
  }

  /** Changes with every slot that any event loop frees. */
  freed(): number {
    return Atomics.load(this.#cells, FREED)
  }

  /** Number of event loops with a waiter for a slot of the gateway. */
  waitingLoops(): number {
    return Atomics.load(this.#cells, WAITING_LOOPS)
  }

  tellWaiting(isWaiting: boolean): void {
    Atomics.add(this.#cells, WAITING_LOOPS, isWaiting ? 1 : -1)
  }

  #keyCell(index: number): number {
    if (this.#accountPlaces !== null && isAccountIndex(index))
      return FIRST_KEY + this.#accountPlaces.firstKey + slotOfIndex(index)
    return this.#keyCells[index] ?? NO_CELL
  }

  #teamCell(index: number): number {
    if (this.#accountPlaces === null || !isAccountIndex(index)) return NO_CELL
    const place = this.#accounts?.byIndex(index)?.teamPlace ?? null
    return place === null ? NO_CELL : FIRST_KEY + this.#accountPlaces.firstTeam + place
  }

  #providerCell(index: number): number {
    return this.#providerCells[index] ?? NO_CELL
  }

  #targetCell(slot: number): number {
    return this.#targetCells[slot] ?? NO_CELL
  }

  #isFull(cell: number, cap: number | null): boolean {
    return cap !== null && Atomics.load(this.#cells, cell) >= cap
  }

  #take(cell: number, cap: number | null): boolean {
    if (cell === NO_CELL) return true
    for (;;) {
      const count = Atomics.load(this.#cells, cell)
      if (cap !== null && count >= cap) return false
      if (Atomics.compareExchange(this.#cells, cell, count, count + 1) === count) return true
    }
  }

  /** A release without an entry is a bug of the caller; it must not create extra slots. */
  #release(cell: number): void {
    if (cell === NO_CELL) return
    for (;;) {
      const count = Atomics.load(this.#cells, cell)
      if (count <= 0) return
      if (Atomics.compareExchange(this.#cells, cell, count, count - 1) === count) return
    }
  }

  #tellFreed(): void {
    Atomics.add(this.#cells, FREED, 1)
  }
}

/**
 * The slots of teams that requests of this event loop hold, by their key: a key may change its team, or be deleted, while its requests
 * run, and each of them must free the slot that it took.
 */
class TeamHolds {
  readonly #byKey = new Map<number, number[]>()

  /** `cell`: below 0 for a key without a team. */
  add(keyIndex: number, cell: number): void {
    if (cell < 0) return
    const cells = this.#byKey.get(keyIndex)
    if (cells === undefined) this.#byKey.set(keyIndex, [cell])
    else cells.push(cell)
  }

  /** The cell of one of the key's requests, which of them does not matter; null if none has one. */
  remove(keyIndex: number): number | null {
    const cells = this.#byKey.get(keyIndex)
    const cell = cells?.pop() ?? null
    if (cells?.length === 0) this.#byKey.delete(keyIndex)
    return cell
  }
}
