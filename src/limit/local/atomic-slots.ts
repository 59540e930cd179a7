// Concurrency slots counted in shared memory: the gateway's, every key's, provider's and target's. A slot of the gateway and
// one of the key are taken both or none. Waiting for one is queue.ts. Counts never fall below zero.

import { type LimitScope } from '../refusal.js'
import { type Gate } from './queue.js'
import { Turns, turnCellCount } from './turns.js'

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
  readonly room: { readonly keys: number; readonly providers: number; readonly targets: number }
}

/** How many Int32 cells the slots of so many keys, providers and targets take. */
export function slotCellCount(keys: number, providers: number, targets: number): number {
  return FIRST_KEY + keys + providers + targets + turnCellCount(keys)
}

/** A view of the shared slots; each event loop has its own. */
export class AtomicSlots implements Gate {
  readonly turns: Turns
  readonly #caps: SlotCaps
  readonly #cells: Int32Array
  readonly #keyCells: readonly number[]
  readonly #providerCells: readonly number[]
  readonly #targetCells: readonly number[]

  constructor(caps: SlotCaps, cells: Int32Array, places: SlotPlaces) {
    this.#caps = caps
    this.#cells = cells
    const firstProvider = FIRST_KEY + places.room.keys
    const firstTarget = firstProvider + places.room.providers
    this.#keyCells = places.keys.map((place) => FIRST_KEY + place)
    this.#providerCells = places.providers.map((place) => firstProvider + place)
    this.#targetCells = places.targets.map((place) => firstTarget + place)
    this.turns = new Turns(cells.subarray(firstTarget + places.room.targets), places)
  }

  /**
   * Takes a slot of the key and of the gateway; null, or the scope that is full. The key comes first, so that a key at
   * its cap never shows up in the gateway's count, not even for a moment.
   */
  tryEnter(keyIndex: number): LimitScope | null {
    if (this.#isFull(GATEWAY, this.#caps.gateway)) return 'gateway'
    const key = this.#keyCell(keyIndex)
    if (!this.#take(key, this.#caps.keys[keyIndex] ?? null)) return 'key'
    if (this.#take(GATEWAY, this.#caps.gateway)) {
      this.turns.take(keyIndex)
      return null
    }
    this.#release(key)
    this.#tellFreed()
    return 'gateway'
  }

  /** Takes both regardless of the caps. */
  hold(keyIndex: number): void {
    this.#take(this.#keyCell(keyIndex), null)
    this.#take(GATEWAY, null)
    this.turns.take(keyIndex)
  }

  /** The scope that is full at this moment, without taking anything. */
  fullScope(keyIndex: number): LimitScope | null {
    if (this.#isFull(GATEWAY, this.#caps.gateway)) return 'gateway'
    return this.isKeyFull(keyIndex) ? 'key' : null
  }

  /** Whether the key is at its own cap. */
  isKeyFull(keyIndex: number): boolean {
    const key = this.#keyCell(keyIndex)
    return key !== NO_CELL && this.#isFull(key, this.#caps.keys[keyIndex] ?? null)
  }

  /** Slots of the gateway that are free now; infinite without a cap. */
  free(): number {
    const cap = this.#caps.gateway
    return cap === null ? Number.POSITIVE_INFINITY : cap - Atomics.load(this.#cells, GATEWAY)
  }

  leave(keyIndex: number): void {
    this.#release(this.#keyCell(keyIndex))
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
    return this.#keyCells[index] ?? NO_CELL
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
