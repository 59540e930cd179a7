// npm run soak:resume: 1,000 streams (SOAK_STREAMS) of the official clients, an EventSource and a SluiceSocket over connections that
// are cut at random. Exit code 1 if a word was lost or doubled, or a stream failed. SEED=n draws the same cuts.
import { runCutLoad } from '../helpers/cut-load.js'
import { Random } from '../helpers/random.js'

const STREAMS = Number(process.env.SOAK_STREAMS ?? 1000)
const AT_ONCE = 50
const closers: (() => unknown)[] = []

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

const random = Random.ofRun()
say(`SEED=${random.seed}`)
let faults: readonly string[] = ['it did not run']
try {
  for (const threads of [1, 2]) {
    const startedAt = performance.now()
    const load = { streams: STREAMS, atOnce: AT_ONCE, threads, random }
    const result = await runCutLoad({ teardown: (close) => void closers.push(close) }, load)
    faults = result.faults
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
    const { cut, resumed, asked } = result
    say(
      `threads ${threads}: ${STREAMS} streams, ${asked} requests to the provider, ${faults.length} failed, ${seconds} s`,
    )
    say(`threads ${threads}: ${cut} connections cut, ${resumed} resumed`)
    for (const fault of faults) say(`FAULT ${fault}`)
    if (faults.length > 0) break
  }
} finally {
  for (const close of closers) await close()
}
say(faults.length === 0 ? 'PASS' : `FAIL: ${faults.length} faults`)
process.exitCode = faults.length === 0 ? 0 : 1
