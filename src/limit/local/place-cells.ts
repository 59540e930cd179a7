// What a key of a database has in the cells of the limits, for the one who gives its place to another key: only when nothing of the
// former one runs any more, and with full buckets. So no request ever gives back to a key what it took from another one.

import { placeState } from './atomic-slots.js'
import { bucketBytes, type LimiterPlaces } from './cells.js'
import { heldAtPlace } from './memory-budget.js'
import { BUCKETS_PER_OWNER } from './owner.js'

/** The cells, and where in them the places of a database are. */
export type SharedLimits = {
  readonly limiter: SharedArrayBuffer
  readonly memory: readonly SharedArrayBuffer[]
  readonly places: Pick<LimiterPlaces, 'room'> & { readonly accounts: NonNullable<LimiterPlaces['accounts']> }
}

/** Of keys or of teams, by their places in the directory. */
export type AccountCells = {
  isIdle(place: number): boolean
  clear(place: number): void
}

/** For the thread that gives places away. */
export function createAccountCells({ limiter, memory, places }: SharedLimits): {
  keys: AccountCells
  teams: AccountCells
} {
  const { room, accounts } = places
  const buckets = new BigInt64Array(limiter, 0, (1 + room.keys) * BUCKETS_PER_OWNER)
  const slots = new Int32Array(limiter, bucketBytes(room))
  const cellsFrom = (first: number, uses: readonly SharedArrayBuffer[]): AccountCells => ({
    isIdle(place) {
      const { taken, waiting } = placeState(slots, room, first + place)
      return taken === 0 && waiting === 0 && uses.every((cells) => heldAtPlace(cells, first + place) === 0)
    },
    clear(place) {
      const bucket = (1 + first + place) * BUCKETS_PER_OWNER
      for (let i = 0; i < BUCKETS_PER_OWNER; i++) Atomics.store(buckets, bucket + i, 0n)
    },
  })
  return { keys: cellsFrom(accounts.firstKey, memory), teams: cellsFrom(accounts.firstTeam, []) }
}
