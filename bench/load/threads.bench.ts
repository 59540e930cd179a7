// S10: do more event loops cost more CPU a request? With as many cores as threads they answer more; that needs a larger machine.
import { against, sluiceWith } from '../contenders.js'
import { runPlain } from '../plain-load.js'
import { requestFor } from '../requests.js'
import { type Bench, interleave, scaled } from '../rounds.js'

const THREADS = [1, 2]
const REQUESTS = 12_000
/** Enough that the kernel spreads them over the listeners. */
const CONNECTIONS = 64

/** Adds S10's figures. */
export async function runS10(bench: Bench): Promise<void> {
  const nameOf = (threads: number) => `sluice, threads ${threads}`
  const starts = THREADS.map((threads) => sluiceWith({ name: nameOf(threads), server: { threads } }))
  await against([], starts, (entrants) =>
    interleave(bench, { scenario: 'S10 threads', entrants }, async (each, { add, isWarmUp }) => {
      const request = requestFor(each, { tokens: 64, stream: false, promptBytes: 850 })
      const load = { connections: CONNECTIONS, amount: scaled(bench, REQUESTS, { isWarmUp }) }
      const sample = await runPlain(each, request, load)
      add('CPU us/request', sample.cpuUsPerRequest, nameOf(1))
      add('requests per CPU second', 1e6 / sample.cpuUsPerRequest, null)
      add('requests/s', sample.requestsPerSec, null)
    }),
  )
}
