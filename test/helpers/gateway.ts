// Starts a real gateway (and, where asked, a real simulator behind it) as a process of its own, exactly as a user does, and
// lets a test wait for its log lines. Everything is stopped at the test's teardown.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
/** The whole suite runs what is shipped, the bundle; a single file what was just compiled. */
export const MAIN = join(ROOT, process.env.SLUICE_TEST_MAIN ?? 'dist/src/main.js')
/** What a started gateway says first. */
const START_LINE = /^Sluice \S+ on https?:.*\n/gm
/** A machine that runs other things as well. */
const START_MS = 120_000
/** Metrics are at most a second behind, on a machine that has time for them. */
const METRICS_MS = 20_000
const METRICS_EVERY_MS = 50

/** One JSON line of the gateway's log. */
export type LogLine = {
  readonly [field: string]: unknown
  readonly id?: string
  readonly outcome?: string
  readonly msg?: string
}

/** The part of tap's test that helpers need. */
export type Teardown = { teardown(callback: () => unknown): void }

export type StartOptions = {
  /** Written to a file and passed by --config; its port defaults to 0. */
  readonly config?: object
  readonly env?: Readonly<Record<string, string>>
  readonly args?: readonly string[]
  /** Files of the working directory, by name. */
  readonly files?: Readonly<Record<string, string>>
}

export class Running {
  readonly child: ChildProcess
  readonly folder: string
  readonly lines: LogLine[] = []
  readonly output: string[] = []
  errorOutput = ''
  origin = ''
  /** All it has said is read. */
  readonly #closed: Promise<unknown>
  #onReady: () => void = () => {}
  readonly #ready = new Promise<void>((resolve) => {
    this.#onReady = resolve
  })
  #waiters: { wanted: (line: LogLine) => boolean; resolve: (line: LogLine) => void }[] = []

  constructor(child: ChildProcess, folder: string) {
    this.child = child
    this.folder = folder
    this.#closed = once(child, 'close')
    child.stderr?.on('data', (chunk: Buffer) => {
      this.errorOutput += chunk.toString()
      this.#findOrigin(/^Sluice \S+ on (https?:\/\/[\w.:[\]]+)/m.exec(this.errorOutput)?.[1])
    })
  }

  /** What it has said on standard error beside its start line, which is there when standard output is the log. */
  get complaints(): string {
    return this.errorOutput.replace(START_LINE, '')
  }

  get pid(): number {
    return this.child.pid ?? 0
  }

  /** Takes one line of standard output: JSON lines are the log, others are for people. */
  take(text: string): void {
    this.output.push(text)
    if (!text.startsWith('{')) {
      this.#findOrigin(/https?:\/\/[\w.:[\]]+/.exec(text)?.[0])
      return
    }
    const line = JSON.parse(text) as LogLine
    this.lines.push(line)
    this.#waiters = this.#waiters.filter(({ wanted, resolve }) => {
      if (!wanted(line)) return true
      resolve(line)
      return false
    })
  }

  /** It says where it listens in the line for people, which is the last word of a start. */
  #findOrigin(origin: string | undefined): void {
    if (this.origin !== '' || origin === undefined) return
    this.origin = origin
    this.#onReady()
  }

  /** Resolves when it has said where it listens. */
  get ready(): Promise<void> {
    return this.#ready
  }

  /** The first log line, past or future, that is wanted. */
  logLine(wanted: (line: LogLine) => boolean): Promise<LogLine> {
    const found = this.lines.find(wanted)
    if (found !== undefined) return Promise.resolve(found)
    return new Promise((resolve) => this.#waiters.push({ wanted, resolve }))
  }

  /** The one line of an exchange, by request id. */
  exchange(requestId: string): Promise<LogLine> {
    return this.logLine((line) => line.id === requestId)
  }

  /**
   * The page of metrics, once every pattern is on it, else as it is in the end: gauges are read each second, and what a store
   * or another thread acknowledges is counted after a client can see it.
   */
  async metricsWith(patterns: readonly RegExp[], headers: Record<string, string> = {}): Promise<string> {
    const deadlineMs = performance.now() + METRICS_MS
    for (;;) {
      const page = await (await fetch(`${this.origin}/metrics`, { headers })).text()
      if (patterns.every((pattern) => pattern.test(page)) || performance.now() > deadlineMs) return page
      await new Promise((resolve) => setTimeout(resolve, METRICS_EVERY_MS))
    }
  }

  /** Ends the process and tells its exit code (or signal), once the last line of its output has come. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | string> {
    const { child } = this
    if (child.exitCode === null && child.signalCode === null) child.kill(signal)
    await this.#closed
    return child.exitCode ?? child.signalCode ?? 0
  }
}

/** Starts `sluice start` and resolves once it tells its address; rejects with what it printed if it ends before. */
export async function startGateway(t: Teardown, options: StartOptions = {}): Promise<Running> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-test-'))
  const args = [MAIN, 'start', ...(options.args ?? [])]
  for (const [file, text] of Object.entries(options.files ?? {})) writeFileSync(join(folder, file), text)
  if (options.config !== undefined) {
    const file = join(folder, 'sluice.json')
    const server = { port: 0, ...(options.config as { server?: object }).server }
    writeFileSync(file, JSON.stringify({ ...options.config, server }))
    args.push('--config', file)
  }
  return startNode(t, args, { folder, ...(options.env === undefined ? {} : { env: options.env }) })
}

/** Starts `sluice simulate` on a free port. */
export function startSimulator(t: Teardown, args: readonly string[] = []): Promise<Running> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-test-'))
  return startNode(t, [MAIN, 'simulate', '--port', '0', ...args], { folder })
}

/** Providers that reach the simulator over each of its wires; the model `openai/lorem` and so on. */
export function simulatedProviders(origin: string): Record<string, object> {
  return {
    openai: { protocol: 'openai-chat', baseUrl: `${origin}/v1`, apiKey: 'sk-upstream-openai' },
    responses: { protocol: 'openai-responses', baseUrl: `${origin}/v1`, apiKey: 'sk-upstream-responses' },
    anthropic: { protocol: 'anthropic-messages', baseUrl: `${origin}/v1`, apiKey: 'sk-upstream-anthropic' },
    google: { protocol: 'google-gemini', baseUrl: `${origin}/v1beta`, apiKey: 'sk-upstream-google' },
    ollama: { protocol: 'ollama-chat', baseUrl: origin },
  }
}

async function startNode(
  t: Teardown,
  args: readonly string[],
  options: { folder: string; env?: Readonly<Record<string, string>> },
): Promise<Running> {
  // A clean environment: a developer's own keys and settings must not leak into tests.
  const env = { PATH: process.env.PATH ?? '', HOME: options.folder, ...options.env }
  const child = spawn(process.execPath, args, { cwd: options.folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const running = new Running(child, options.folder)
  t.teardown(async () => {
    await running.stop('SIGKILL')
    rmSync(options.folder, { recursive: true, force: true })
  })
  const ready = new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`not ready: ${running.output.join('\n')}`)), START_MS)
    if (child.stdout === null) throw new Error('no standard output')
    createInterface({ input: child.stdout }).on('line', (line) => running.take(line))
    void running.ready.then(() => {
      clearTimeout(timer)
      resolve()
    })
    child.once('exit', (code) => {
      clearTimeout(timer)
      reject(new Error(`ended with ${code}: ${running.errorOutput}${running.output.join('\n')}`))
    })
  })
  await ready
  return running
}
