// What a bench compares: each a server of its own in front of the same simulator, in a process of its own.
import { type ChildProcess, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../test/helpers/free-port.js'
import { answers, ROOT, start, stop, Talker } from './children.js'

export type Contender = {
  readonly name: string
  readonly origin: string
  readonly pid: number
  /** Request headers it needs to reach the simulator. */
  readonly headers: Readonly<Record<string, string>>
  /** Speaks its clients' API whatever the upstream speaks, and names models `provider/model`. The others pass bytes on. */
  readonly isGateway: boolean
  stop(): void
}

/** Starts a contender in front of an upstream's origin; null where it is not installed. */
export type Start = (upstream: string) => Promise<Contender | null>

const GATEWAY_KEY = 'bench-key-0123456789abcdef'
const BENCH_KEY = { requestsPerMinute: 60_000_000, tokensPerMinute: 1_000_000_000, concurrency: 100_000 }
/** Shedding is on, but the load that it shall see is the bench's, not that of a busy machine. */
const SHED_LAG_MS = 2000
const NO_HEADERS: Contender['headers'] = Object.freeze({})

type Parts = {
  readonly child: ChildProcess
  readonly port: number
  readonly headers?: Contender['headers']
  readonly isGateway?: boolean
  readonly stop?: () => void
}

function contender(name: string, parts: Parts): Contender {
  const { child, port, headers = NO_HEADERS, isGateway = false } = parts
  if (child.pid === undefined) throw new Error(`${name} did not start`)
  const origin = `http://127.0.0.1:${port}`
  return { name, origin, pid: child.pid, headers, isGateway, stop: parts.stop ?? (() => stop(child)) }
}

/** The upstream of every contender, and at the same time the table's "direct" row. */
export async function startSimulator(options: readonly string[] = []): Promise<Contender> {
  const port = await freePort()
  const child = start(process.execPath, ['dist/src/main.js', 'simulate', '--port', String(port), ...options])
  await answers(port, child)
  return contender('direct', { child, port })
}

/** The floor: one write a chunk. */
export function startBarePipe(upstream: string): Promise<Contender> {
  return barePipe('bare pipe', [upstream])
}

/** A lower floor: one write for all that one read brought. */
export function startJoinedPipe(upstream: string): Promise<Contender> {
  return barePipe('bare pipe, joined', [upstream, 'joined'])
}

/** The floor where the upstream is behind TLS. */
export function startTlsPipe(upstream: string, certFile: string): Promise<Contender> {
  return barePipe('bare pipe', [upstream, 'plain', certFile])
}

async function barePipe(name: string, args: readonly string[]): Promise<Contender> {
  const talker = new Talker('bare-pipe.js', args)
  const { port } = await talker.hear<{ port: number }>()
  return contender(name, { child: talker.child, port })
}

/** What a variant of Sluice has otherwise than all others; each is a section of its configuration. */
export type SluiceVariant = {
  readonly name?: string
  readonly server?: object
  readonly offload?: object
  readonly limits?: object
  /** Null: no gateway key. */
  readonly keyLimits?: object | null
  readonly log?: object
  readonly streams?: object
  readonly redis?: object
  readonly accounts?: object
  readonly prices?: object
  readonly admin?: object
  /** Further headers of its requests. */
  readonly headers?: Contender['headers']
  /** Beside those in front of the simulator. */
  readonly providers?: object
  readonly env?: Readonly<Record<string, string>>
}

/** Sluice with everything on: keys, limits, metrics and the log. */
export async function startSluice(upstream: string, variant: SluiceVariant = {}): Promise<Contender> {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'))
  const { name = 'sluice', keyLimits = BENCH_KEY } = variant
  const config = {
    server: { port, ...variant.server },
    offload: { ...variant.offload },
    keys: keyLimits === null ? [] : [{ name: 'bench', key: GATEWAY_KEY, limits: keyLimits }],
    limits: { concurrency: 100_000, requestsPerMinute: 60_000_000, shed: { lagMs: SHED_LAG_MS }, ...variant.limits },
    providers: { ...providersAt(upstream), ...variant.providers },
    log: { file: join(folder, 'sluice.log'), ...variant.log },
    streams: { ...variant.streams },
    ...(variant.redis === undefined ? {} : { redis: variant.redis }),
    // Not where it is run from: two of them at a time would want the same file.
    jobs: { path: join(folder, 'jobs.db') },
    accounts: { path: join(folder, 'accounts.db'), ...variant.accounts },
    prices: { ...variant.prices },
    admin: { ...variant.admin },
  }
  const file = join(folder, 'sluice.json')
  writeFileSync(file, JSON.stringify(config))
  const child = start(process.execPath, ['bundle/src/main.js', 'start', '--config', file], {
    env: { SLUICE_CONFIG: file, ...variant.env },
  })
  await answers(port, child)
  const credential = keyLimits === null ? NO_HEADERS : { authorization: `Bearer ${GATEWAY_KEY}` }
  const headers = { ...credential, ...variant.headers }
  return contender(name, { child, port, headers, isGateway: true, stop: () => stop(child, 'SIGKILL', folder) })
}

/** One provider for each API that the simulator speaks, by that API's name. */
function providersAt(upstream: string): object {
  return {
    openai: { protocol: 'openai-chat', baseUrl: `${upstream}/v1`, apiKey: 'sk-bench' },
    responses: { protocol: 'openai-responses', baseUrl: `${upstream}/v1`, apiKey: 'sk-bench' },
    anthropic: { protocol: 'anthropic-messages', baseUrl: `${upstream}/v1`, apiKey: 'sk-bench' },
    gemini: { protocol: 'google-gemini', baseUrl: `${upstream}/v1beta`, apiKey: 'sk-bench' },
    ollama: { protocol: 'ollama-chat', baseUrl: upstream },
  }
}

/** nginx with one worker, unbuffered, keeping its upstream connections. */
export async function startNginx(upstream: string): Promise<Contender | null> {
  if (spawnSync('nginx', ['-v']).error !== undefined) return null
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'sluice-nginx-'))
  const file = join(folder, 'nginx.conf')
  writeFileSync(file, nginxConfig(folder, port, new URL(upstream).host))
  const child = start('nginx', ['-c', file, '-p', folder, '-e', join(folder, 'error.log')])
  await answers(port, child)
  // Killed, its master would leave the worker behind.
  return contender('nginx', { child, port, stop: () => stop(child, 'SIGTERM', folder) })
}

/** Portkey from bench/peers/portkey (`npm i @portkey-ai/gateway` in that folder). */
export async function startPortkey(upstream: string): Promise<Contender | null> {
  const entry = join(ROOT, 'bench/peers/portkey/node_modules/@portkey-ai/gateway/build/start-server.js')
  if (!existsSync(entry)) return null
  const port = await freePort()
  const child = start(process.execPath, [entry, '--headless', `--port=${port}`], {
    env: { TRUSTED_CUSTOM_HOSTS: '127.0.0.1,localhost' },
  })
  await answers(port, child)
  const headers = {
    'x-portkey-provider': 'openai',
    'x-portkey-custom-host': `${upstream}/v1`,
    authorization: 'Bearer sk-bench',
  }
  return contender('portkey', { child, port, headers })
}

function nginxConfig(folder: string, port: number, host: string): string {
  return `worker_processes 1; daemon off; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
events { worker_connections 65536; }
http {
  access_log off; client_body_temp_path ${folder}/b; proxy_temp_path ${folder}/p; fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  keepalive_requests 1000000;
  upstream sim { server ${host}; keepalive 256; keepalive_requests 1000000; }
  server { listen 127.0.0.1:${port}; client_max_body_size 32m; client_body_buffer_size 4m;
    location / { proxy_pass http://sim; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; proxy_read_timeout 600s; } }
}
`
}

/** Starts a simulator and the contenders in front of it, hands them over, and stops them all. */
export async function against<Result>(
  simulatorOptions: readonly string[],
  starts: readonly Start[],
  measure: (contenders: readonly Contender[], simulator: Contender) => Promise<Result>,
): Promise<Result> {
  const simulator = await startSimulator(simulatorOptions)
  const contenders: Contender[] = []
  try {
    for (const startOne of starts) {
      const started = await startOne(simulator.origin)
      if (started !== null) contenders.push(started)
    }
    return await measure(contenders, simulator)
  } finally {
    for (const each of [...contenders, simulator]) each.stop()
  }
}

/** Sluice with something otherwise, as one of several contenders. */
export function sluiceWith(variant: SluiceVariant): Start {
  return (upstream) => startSluice(upstream, variant)
}
