// The directory's writer in a thread of its own, for the law that no reader ever sees half of anything.
import { createHash } from 'node:crypto'
import { parentPort, workerData } from 'node:worker_threads'
import { type DirectoryMemory } from '../../src/accounts/directory/memory.js'
import { DirectoryWriter } from '../../src/accounts/directory/writer.js'
import { type Account } from '../../src/accounts/types.js'

export type HammerJob = { readonly memory: DirectoryMemory; readonly keys: number; readonly rounds: number }

const NO_LIMITS = { requestsPerMinute: null, tokensPerMinute: null, concurrency: null }
const SIZES = 40

/** The digest of a key by its number, in hex. All of them have their place at the beginning of the table, so each is in the others' way. */
export function digestOfKey(k: number, secret = ''): string {
  return `00000000${createHash('sha256').update(`key ${k} ${secret}`).digest('hex').slice(8)}`
}

/** An account whose parts all name its round: a mixture of two is recognized. */
export function hammerAccount(k: number, round: number, over: Partial<Account> = {}): Account {
  const tags = Array.from({ length: round % SIZES }, () => `round-${round}`)
  return {
    ...{ id: `key_${k}_${round}`, name: `app${k}`, team: null, models: [`model-${round}`], limits: NO_LIMITS, tags },
    ...{ trustUser: false, disabled: false, expiresAtMs: round, ...over },
  }
}

/** Null when it is whole. */
export function faultOf(k: number, account: Account): string | null {
  const round = account.expiresAtMs ?? -1
  const { id, ...rest } = hammerAccount(k, round, { id: account.id })
  const { id: found, ...others } = account
  if (JSON.stringify(rest) !== JSON.stringify(others))
    return `${JSON.stringify(account)} is no account of round ${round}`
  return found === id ? null : found
}

/** Keys of even numbers stay and change; those of odd ones are deleted and made anew under the same digest, with another id. */
function hammer({ memory, keys, rounds }: HammerJob): void {
  const writer = new DirectoryWriter(memory)
  const ids = new Map<number, string>()
  for (let round = 0; round < rounds; round++) {
    const k = round % keys
    const isStable = k % 2 === 0
    const known = ids.get(k)
    if (!isStable && known !== undefined) writer.remove(known)
    const id = isStable ? `key_${k}` : `key_${k}_${round}`
    const digests = [
      { digest: digestOfKey(k), validUntilMs: round % 3 === 0 ? null : 1_000_000 + round },
      { digest: digestOfKey(k, String(round)), validUntilMs: null },
    ]
    writer.put(hammerAccount(k, round, { id }), digests)
    ids.set(k, id)
    if (round === keys) parentPort?.postMessage('filled')
  }
  parentPort?.postMessage('done')
}

if (parentPort !== null && (workerData as HammerJob | null)?.memory !== undefined) hammer(workerData as HammerJob)
