// How long does it take to load what the gateway loads at its start? Each module alone in a fresh process, with all it imports
// in turn; beside it Node with nothing. What a start pays twice for shows here twice.
import { spawnSync } from 'node:child_process'
import { cpus } from 'node:os'
import { ROOT } from '../children.js'
import { spread } from '../stats.js'

const ROUNDS = 7
const MB = 1024 * 1024
const MODULES = [
  ...[
    'undici',
    'piscina',
    'msgpackr',
    'pino',
    'prom-client',
    'typebox',
    'typebox/compile',
    'yaml',
    'libsql',
    'ioredis',
  ],
  ...['src/server/engine/engine.js', 'src/config/load.js', 'src/protocols/index.js', 'src/simulator/simulator.js'],
  ...['src/gateway.js', 'src/main/launch.js', 'src/telemetry/traces/otlp.js'],
]

/** Runs in the fresh process: milliseconds of the import, megabytes it left behind. */
const PROBE = `const before = process.memoryUsage.rss(); const at = performance.now();
if (process.argv[1]) await import(process.argv[1]);
console.log(JSON.stringify([performance.now() - at, process.memoryUsage.rss() - before]))`

function load(name: string): { ms: number; bytes: number } | null {
  const specifier = name.startsWith('src/') ? `${ROOT}dist/${name}` : name
  const args = ['--input-type=module', '-e', PROBE, ...(name === '' ? [] : [specifier])]
  const { stdout, status } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' })
  if (status !== 0) return null
  const [ms = 0, bytes = 0] = JSON.parse(stdout) as number[]
  return { ms, bytes }
}

const lines = [`one import, ${cpus()[0]?.model ?? 'unknown CPU'}, ${cpus().length} cores, Node ${process.version}`]
for (const name of MODULES) {
  const loads = Array.from({ length: ROUNDS }, () => load(name)).filter((each) => each !== null)
  if (loads.length === 0) {
    lines.push(`${name.padEnd(32)} cannot be loaded alone`)
    continue
  }
  const ms = spread(loads.map((each) => each.ms))
  const mb = spread(loads.map((each) => each.bytes / MB))
  lines.push(
    `${name.padEnd(32)} ${ms.median.toFixed(1).padStart(8)} ms   (${ms.min.toFixed(1)} .. ${ms.max.toFixed(1)})   ${mb.median.toFixed(1).padStart(6)} MB`,
  )
}
process.stdout.write(`${lines.join('\n')}\n`)
