// Law: a reader of the directory never sees half of a change, never waits for the writer, and never misses a key that is there. A
// thread changes a few keys as fast as it can while this one looks them up.
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { test } from 'tap'
import { createDirectoryMemory } from '../../src/accounts/directory/memory.js'
import { DirectoryReader } from '../../src/accounts/directory/reader.js'
import { digestOfKey, faultOf, type HammerJob } from '../helpers/directory-hammer.js'

const KEYS = 6
const ROUNDS = 20_000
/** Between two looks at the messages of the other thread. */
const LOOKS = 500

test('whatever the writer does meanwhile, a key that is found is whole and its own, and one that stays is always found', async (t) => {
  // Room for little more than there is, so that memory is used again at once.
  const memory = createDirectoryMemory(KEYS + 2)
  const workerData: HammerJob = { memory, keys: KEYS, rounds: ROUNDS }
  const worker = new Worker(new URL('../helpers/directory-hammer.js', import.meta.url), { workerData })
  const ended = once(worker, 'exit')
  await once(worker, 'message')
  let isDone = false
  worker.once('message', () => {
    isDone = true
  })
  const seen = { found: 0, missed: 0, changes: 0 }
  const owners = new Map<number, string>()
  const last: number[] = []
  const digests = Array.from({ length: KEYS }, (_, k) => digestOfKey(k))
  const faults: string[] = []
  // Without its cache: each look-up reads the record.
  let reader = new DirectoryReader(memory)
  while (!isDone && faults.length === 0) {
    for (let i = 0; i < LOOKS; i++) {
      const k = i % KEYS
      if (i % 2 === 0) reader = new DirectoryReader(memory)
      const listed = reader.find(digests[k] ?? '', 0)
      if (listed === null) {
        seen.missed += 1
        if (k % 2 === 0) faults.push(`key ${k} was not found`)
        continue
      }
      seen.found += 1
      const { account, index } = listed
      const fault = faultOf(k, account)
      if (fault !== null) faults.push(fault)
      if ((owners.get(index) ?? account.id) !== account.id)
        faults.push(`${account.id} has the index of ${owners.get(index)}`)
      owners.set(index, account.id)
      if (last[k] !== account.expiresAtMs) seen.changes += 1
      last[k] = account.expiresAtMs ?? 0
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
  t.same(faults, [])
  t.ok(seen.found > LOOKS && seen.changes > KEYS, JSON.stringify(seen))
  if (!isDone) await worker.terminate()
  await ended
})
