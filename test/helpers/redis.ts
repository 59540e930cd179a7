// A real redis-server on a port of its own: started, killed, stopped for a while and started again as a test asks. Nothing
// is kept on disk unless the arguments say so.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Redis } from 'ioredis'
import { freePort } from './free-port.js'
import { type Teardown } from './gateway.js'

const START_MS = 30_000
/** Between finding a free port and taking it somebody else may take it. */
const PORT_TRIES = 5

export type { Redis }

/** A plain client, for looking at what is there. */
export function connectRedis(url: string): Redis {
  return new Redis(url)
}

export class RedisServer {
  readonly #folder: string
  readonly #args: readonly string[]
  #child: ChildProcess | null = null
  port: number

  private constructor(port: number, folder: string, args: readonly string[]) {
    this.port = port
    this.#folder = folder
    this.#args = args
  }

  /** `args` come after the defaults: `['--appendonly', 'yes']`. */
  static async start(t: Teardown, args: readonly string[] = []): Promise<RedisServer> {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-redis-'))
    const server = new RedisServer(0, folder, args)
    t.teardown(async () => {
      await server.kill()
      rmSync(folder, { recursive: true, force: true })
    })
    for (let tries = 1; ; tries++) {
      server.port = await freePort()
      try {
        await server.startAgain()
        return server
      } catch (error) {
        if (tries === PORT_TRIES) throw error
      }
    }
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  /** Starts it on the same port, with what the arguments made it keep. */
  async startAgain(): Promise<void> {
    const listen = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.#folder]
    const keepNothing = ['--save', '', '--appendonly', 'no']
    const child = spawn('redis-server', [...listen, ...keepNothing, ...this.#args], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    this.#child = child
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('redis-server does not start')), START_MS)
      child.once('error', reject)
      child.once('exit', (code) => reject(new Error(`redis-server ended with ${code}`)))
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (!line.includes('Ready to accept connections')) return
        clearTimeout(timer)
        resolve()
      })
    })
  }

  /** Ends it as a power cut does. */
  async kill(): Promise<void> {
    const child = this.#child
    this.#child = null
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }

  /** It hangs: connections stay open and nothing is answered. */
  pause(): void {
    this.#child?.kill('SIGSTOP')
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }
}
