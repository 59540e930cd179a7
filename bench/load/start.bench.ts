// S11: how soon after its start does it answer a chat, and how much memory does it take when nobody asks? The floor is the bare
// pipe: Node, the engine and undici. What the rest loads tells bench/micro/imports.
import { runClosedLoad } from '../closed-load.js'
import { type Start, startBarePipe, startSimulator, startSluice } from '../contenders.js'
import { requestFor } from '../requests.js'
import { type Bench, interleave } from '../rounds.js'
import { settledRssBytes } from '../stats.js'

const MB = 1024 * 1024
const STARTS: readonly { readonly name: string; readonly start: Start }[] = [
  { name: 'bare pipe', start: startBarePipe },
  { name: 'sluice', start: startSluice },
]

/** Adds S11's figures. */
export async function runS11(bench: Bench): Promise<void> {
  const simulator = await startSimulator()
  try {
    await interleave(bench, { scenario: 'S11 start', entrants: STARTS }, async ({ start }, { add }) => {
      const startedAtMs = performance.now()
      const contender = await start(simulator.origin)
      if (contender === null) return
      try {
        await runClosedLoad(requestFor(contender, { tokens: 1, stream: false }), { amount: 1, warmUp: 0 })
        add('first answer ms', performance.now() - startedAtMs)
        add('idle RSS MB', (await settledRssBytes(contender.pid)) / MB)
      } finally {
        contender.stop()
      }
    })
  } finally {
    simulator.stop()
  }
}
