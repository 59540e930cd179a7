// One more thread that reserves and gives back over shared cells, for the test of exactness.
import { parentPort, workerData } from 'node:worker_threads'
import { MemoryBudget } from '../../src/limit/local/memory-budget.js'

export type MemoryJob = {
  readonly cells: SharedArrayBuffer
  readonly capBytes: number
  readonly bytes: number
  /** Reservations to get. */
  readonly rounds: number
}

const { cells, capBytes, bytes, rounds } = workerData as MemoryJob
const budget = new MemoryBudget(cells, {
  use: 'receiving',
  caps: { maxBytes: capBytes, maxBytesPerKey: capBytes, requestBytes: capBytes },
  keyPlaces: [0],
  onChange: () => undefined,
  onRejected: () => undefined,
})
let taken = 0
let most = 0
// Not so many tries: on a busy machine two others may hold all of it for longer than they take.
while (taken < rounds) {
  const one = budget.open(0)
  if (one.grow(bytes) === null) taken += 1
  most = Math.max(most, budget.heldBytes())
  one.release()
}
parentPort?.postMessage({ most })
