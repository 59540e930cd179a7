// npm run bench [-- S1 S4] [-- --quick] [-- --write]: the simulator, each contender and the load in processes of their own.
// Prints a table, writes JSON, and with --write the table in bench/README.md.
import { parseArgs } from 'node:util'
import { runS9 } from './load/ablation.bench.js'
import { runS8 } from './load/aborts.bench.js'
import { runS13 } from './load/agents.bench.js'
import { runS15 } from './load/console.bench.js'
import { runS6 } from './load/held.bench.js'
import { runS12 } from './load/kept.bench.js'
import { runS2 } from './load/large.bench.js'
import { runS1 } from './load/plain.bench.js'
import { runS14 } from './load/spend.bench.js'
import { runS7 } from './load/stalled.bench.js'
import { runS11 } from './load/start.bench.js'
import { runS3 } from './load/stream.bench.js'
import { runS17 } from './load/tail.bench.js'
import { runS10 } from './load/threads.bench.js'
import { runS16 } from './load/tls.bench.js'
import { runS4 } from './load/transcode.bench.js'
import { runS5 } from './load/websocket.bench.js'
import { printRun, saveRun, writeReadme } from './report.js'
import { type Bench } from './rounds.js'
import { Samples } from './samples.js'

type Scenario = { readonly title: string; run(bench: Bench): Promise<void> }

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  S1: { title: 'small requests', run: runS1 },
  S2: { title: 'large requests', run: runS2 },
  S3: { title: 'streams passed through', run: runS3 },
  S4: { title: 'streams translated', run: runS4 },
  S5: { title: 'WebSocket clients', run: runS5 },
  S6: { title: 'held streams', run: runS6 },
  S7: { title: 'readers that stall', run: runS7 },
  S8: { title: 'clients that leave', run: runS8 },
  S9: { title: 'what each feature costs', run: runS9 },
  S10: { title: 'event loops', run: runS10 },
  S11: { title: 'start and idle', run: runS11 },
  S12: { title: 'streams that are kept', run: runS12 },
  S13: { title: "agents' requests", run: runS13 },
  S14: { title: 'keys of a database, prices and budgets', run: runS14 },
  S15: { title: 'an open console', run: runS15 },
  S16: { title: 'providers over TLS', run: runS16 },
  S17: { title: 'turns of the event loop', run: runS17 },
}

const ROUNDS = 5
const QUICK_ROUNDS = 2

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: { quick: { type: 'boolean', default: false }, write: { type: 'boolean', default: false } },
    allowPositionals: true,
  })
  const names = positionals.length === 0 ? Object.keys(SCENARIOS) : positionals
  const unknown = names.filter((name) => !(name in SCENARIOS))
  if (unknown.length > 0) return refuse(`Unknown: ${unknown.join(' ')}. Known: ${Object.keys(SCENARIOS).join(' ')}.`)
  const isWhole = names.length === Object.keys(SCENARIOS).length
  if (values.write && !isWhole) return refuse('The table is of one whole run: --write takes no scenarios.')
  const notes: string[] = []
  const bench: Bench = {
    rounds: values.quick ? QUICK_ROUNDS : ROUNDS,
    isQuick: values.quick,
    samples: new Samples(),
    say,
    note: (text) => void notes.push(text),
  }
  const startedAtMs = performance.now()
  for (const name of names) await runOne(bench, name)
  say(`${((performance.now() - startedAtMs) / 60_000).toFixed(1)} min`)
  const run = saveRun(bench, { scenarios: names, notes })
  process.stdout.write(printRun(run))
  if (values.write) writeReadme(run)
  return run.voided.length === 0 ? 0 : 1
}

/** A scenario that cannot be run takes no other with it. */
async function runOne(bench: Bench, name: string): Promise<void> {
  const scenario = SCENARIOS[name]
  if (scenario === undefined) return
  say(`${name}: ${scenario.title}`)
  try {
    await scenario.run(bench)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    say(`  void: ${reason}`)
    bench.samples.voided.push({ scenario: name, contender: 'all', reason })
  }
}

function say(text: string): void {
  process.stderr.write(`${text}\n`)
}

function refuse(text: string): number {
  say(text)
  return 2
}

process.exit(await main())
