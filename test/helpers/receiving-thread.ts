// One more thread that reserves and gives back over shared cells, for the test of exactness.
import { parentPort, workerData } from 'node:worker_threads'
import { ReceivingBudget } from '../../src/limit/local/receiving.js'

export type ReceivingJob = {
  readonly cells: SharedArrayBuffer
  readonly capBytes: number
  readonly bytes: number
  readonly rounds: number
}

const { cells, capBytes, bytes, rounds } = workerData as ReceivingJob
const budget = new ReceivingBudget(cells, {
  caps: { maxReceivingBytes: capBytes, maxReceivingBytesPerKey: capBytes },
  keyPlaces: [0],
  onChange: () => undefined,
  onRejected: () => undefined,
})
let taken = 0
let most = 0
for (let i = 0; i < rounds; i++) {
  const one = budget.open(0)
  if (one.grow(bytes) === null) taken += 1
  most = Math.max(most, budget.heldBytes())
  one.release()
}
parentPort?.postMessage({ taken, most })
