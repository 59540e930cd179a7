// Processes of a bench: started here, and none outlives the bench, however it ends.
import { type ChildProcess, spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const READY_MS = 15_000
/** Fine enough for the time that a start takes. */
const POLL_MS = 5

const living = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of living) child.kill('SIGTERM')
  for (const child of living) child.kill('SIGKILL')
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

export type SpawnOptions = {
  readonly env?: Readonly<Record<string, string>>
  /** It is talked to: its input and output are pipes. */
  readonly isTalkedTo?: boolean
}

/** Starts a program with the repository as its folder; the errors it prints are shown. */
export function start(command: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
  const { env = {}, isTalkedTo = false } = options
  // The shell's own level would go before the configuration's.
  const { LOG_LEVEL: _, ...inherited } = process.env
  const child = spawn(command, args, {
    cwd: ROOT,
    stdio: isTalkedTo ? ['pipe', 'pipe', 'inherit'] : ['ignore', 'ignore', 'inherit'],
    env: { ...inherited, ...env },
  })
  living.add(child)
  child.once('exit', () => living.delete(child))
  return child
}

/** Ends a process at once, or by its own way of ending where it has workers to end; its `folder` is removed. */
export function stop(
  child: ChildProcess,
  signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL',
  folder: string | null = null,
): void {
  child.kill(signal)
  if (folder !== null) child.once('exit', () => rmSync(folder, { recursive: true, force: true }))
}

/**
 * Resolves when something on the port speaks HTTP, whatever it says.
 * @throws when the child ends or says nothing for 15 s
 */
export async function answers(port: number, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + READY_MS
  while (Date.now() < deadline && child.exitCode === null) {
    try {
      await fetch(`http://127.0.0.1:${port}/livez`)
      return
    } catch {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
  }
  child.kill('SIGKILL')
  throw new Error(`nothing answers on port ${port}`)
}

/** A child that takes JSON lines and answers each with one. */
export class Talker {
  readonly child: ChildProcess
  readonly #lines: AsyncIterator<string>

  /** `script`: below dist/bench. */
  constructor(script: string, args: readonly string[] = []) {
    this.child = start(process.execPath, [`${ROOT}dist/bench/${script}`, ...args], { isTalkedTo: true })
    if (this.child.stdout === null) throw new Error('no output')
    this.#lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]()
  }

  /** The next line it prints. @throws when it ends instead */
  async hear<Said>(): Promise<Said> {
    const line = await this.#lines.next()
    if (line.done === true) throw new Error(`${this.child.spawnfile} ended without a word`)
    return JSON.parse(line.value) as Said
  }

  ask<Said>(command: object): Promise<Said> {
    this.child.stdin?.write(`${JSON.stringify(command)}\n`)
    return this.hear<Said>()
  }

  stop(): void {
    stop(this.child)
  }
}

/** Runs a generator that prints one report and ends. @throws when it fails */
export async function runOnce<Report>(script: string, job: object): Promise<Report> {
  const talker = new Talker(script)
  try {
    return await talker.ask<Report>(job)
  } finally {
    talker.stop()
  }
}

/** What a program of Node's prints until its end. */
export function outputOf(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] })
    let out = ''
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString()
    })
    child.once('error', reject)
    child.once('close', () => resolve(out))
  })
}
