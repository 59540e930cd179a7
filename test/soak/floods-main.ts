// npm run soak:floods: the floods of the soak alone, some three minutes. FLOOD_SECONDS for each. Exit code 1 if anybody waited.
import { runFloods } from './floods.js'

const closers: (() => unknown)[] = []

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

let faults: string[]
try {
  faults = await runFloods({ teardown: (close) => void closers.push(close) }, say)
} finally {
  for (const close of closers) await close()
}
for (const fault of faults) say(`FAULT ${fault}`)
say(faults.length === 0 ? 'PASS' : `FAIL: ${faults.length} faults`)
process.exitCode = faults.length === 0 ? 0 : 1
