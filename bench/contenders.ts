// The processes a bench compares: each a server of its own in front of the same simulator. Started here, stopped by their id.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export type Contender = {
  readonly name: string
  readonly origin: string
  readonly pid: number
  /** Request headers it needs to reach the simulator. */
  readonly headers: Readonly<Record<string, string>>
  /** How it names the simulator's model. */
  model(name: string): string
  stop(): void
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const GATEWAY_KEY = 'bench-key-0123456789abcdef'
const READY_MS = 15_000

function asItIs(name: string): string {
  return name
}

/** The upstream of every contender, in a process of its own, and at the same time the table's "direct" row. */
export async function startSimulator(options: readonly string[] = []): Promise<Contender> {
  const port = await freePort()
  const child = node(['dist/src/main.js', 'simulate', '--port', String(port), ...options], {})
  await answers(port, child)
  return contender('direct', child, port, {}, asItIs)
}

/** The floor: one write a chunk. */
export function startBarePipe(upstream: string): Promise<Contender> {
  return barePipe('bare pipe', [upstream])
}

/** A lower floor: one write for all that one read brought. */
export function startJoinedPipe(upstream: string): Promise<Contender> {
  return barePipe('bare pipe, joined', [upstream, 'joined'])
}

async function barePipe(name: string, args: readonly string[]): Promise<Contender> {
  const child = node(['dist/bench/bare-pipe.js', ...args], {})
  const { port } = JSON.parse(await firstLine(child)) as { port: number }
  return contender(name, child, port, {}, asItIs)
}

/** Sluice with everything on: keys, limits, metrics and the log. */
export async function startSluice(upstream: string, name = 'sluice'): Promise<Contender> {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'))
  const config = {
    server: { port },
    keys: [
      {
        name: 'bench',
        key: GATEWAY_KEY,
        limits: { requestsPerMinute: 60_000_000, tokensPerMinute: 1_000_000_000, concurrency: 100_000 },
      },
    ],
    limits: { concurrency: 100_000, requestsPerMinute: 60_000_000 },
    providers: {
      up: { protocol: 'openai-chat', baseUrl: `${upstream}/v1`, apiKey: 'sk-bench' },
      anth: { protocol: 'anthropic-messages', baseUrl: `${upstream}/v1`, apiKey: 'sk-bench' },
    },
    log: { file: join(folder, 'sluice.log') },
  }
  const file = join(folder, 'sluice.json')
  writeFileSync(file, JSON.stringify(config))
  const child = node(['dist/src/main.js', 'start', '--config', file], { SLUICE_CONFIG: file })
  await answers(port, child)
  return contender(name, child, port, { authorization: `Bearer ${GATEWAY_KEY}` }, (model) => `up/${model}`)
}

/** nginx with one worker, unbuffered, keeping its upstream connections; null where it is not installed. */
export async function startNginx(upstream: string): Promise<Contender | null> {
  if (spawnSync('nginx', ['-v']).error !== undefined) return null
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'sluice-nginx-'))
  const file = join(folder, 'nginx.conf')
  writeFileSync(file, nginxConfig(folder, port, new URL(upstream).host))
  const child = spawn('nginx', ['-c', file, '-p', folder, '-e', join(folder, 'error.log')], { stdio: 'ignore' })
  await answers(port, child)
  return contender('nginx', child, port, {}, asItIs)
}

/** Portkey from bench/peers/portkey (`npm i @portkey-ai/gateway` in that folder); null where it is not installed. */
export async function startPortkey(upstream: string): Promise<Contender | null> {
  const entry = join(ROOT, 'bench/peers/portkey/node_modules/@portkey-ai/gateway/build/start-server.js')
  if (!existsSync(entry)) return null
  const port = await freePort()
  const child = spawn(process.execPath, [entry, '--headless', `--port=${port}`], {
    stdio: 'ignore',
    env: { ...process.env, TRUSTED_CUSTOM_HOSTS: '127.0.0.1,localhost' },
  })
  await answers(port, child)
  const headers = {
    'x-portkey-provider': 'openai',
    'x-portkey-custom-host': `${upstream}/v1`,
    authorization: 'Bearer sk-bench',
  }
  return contender('portkey', child, port, headers, asItIs)
}

function nginxConfig(folder: string, port: number, host: string): string {
  return `worker_processes 1; daemon off; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
events { worker_connections 4096; }
http {
  access_log off; client_body_temp_path ${folder}/b; proxy_temp_path ${folder}/p; fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  keepalive_requests 1000000;
  upstream sim { server ${host}; keepalive 256; keepalive_requests 1000000; }
  server { listen 127.0.0.1:${port}; client_max_body_size 32m; client_body_buffer_size 1m;
    location / { proxy_pass http://sim; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; } }
}
`
}

function contender(
  name: string,
  child: ChildProcess,
  port: number,
  headers: Record<string, string>,
  model: (name: string) => string,
): Contender {
  if (child.pid === undefined) throw new Error(`${name} did not start`)
  return { name, origin: `http://127.0.0.1:${port}`, pid: child.pid, headers, model, stop: () => child.kill('SIGTERM') }
}

function node(args: readonly string[], env: Record<string, string>): ChildProcess {
  return spawn(process.execPath, args, {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, LOG_LEVEL: 'info', ...env },
  })
}

async function firstLine(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('no output')
  for await (const line of createInterface({ input: child.stdout })) return line
  throw new Error('ended without a line')
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}

/** Resolves when something on the port speaks HTTP, whatever it says. */
async function answers(port: number, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + READY_MS
  while (Date.now() < deadline && child.exitCode === null) {
    try {
      await fetch(`http://127.0.0.1:${port}/livez`)
      return
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
  child.kill('SIGKILL')
  throw new Error(`nothing answers on port ${port}`)
}
