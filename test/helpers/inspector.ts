// Looks into a running process from outside: forces a collection over V8's inspector, then tells what is left. What a
// process keeps after a collection is what it leaks; what it holds before one says nothing.
import { readdirSync, readFileSync } from 'node:fs'
import WebSocket from 'ws'
import { type Running } from './gateway.js'

/** Environment of a process that can be inspected; its address is told on standard error. */
export const INSPECTED: Readonly<Record<string, string>> = { NODE_OPTIONS: '--inspect=127.0.0.1:0' }
const ADDRESS = /ws:\/\/127\.0\.0\.1:\S+/
/** One collection frees what the next one finds unreachable: finalizers run in between. */
const COLLECTIONS = 3

export type Memory = {
  readonly rssBytes: number
  /** V8's heap and the buffers outside of it, after a collection. */
  readonly usedBytes: number
}

/** What the process holds once its garbage is gone. It must have been started with `INSPECTED`. */
export async function memoryOf(running: Running): Promise<Memory> {
  const address = ADDRESS.exec(running.errorOutput)?.[0]
  if (address === undefined) throw new Error('the process cannot be inspected')
  const inspector = await Inspector.open(address)
  for (let i = 0; i < COLLECTIONS; i++) await inspector.ask('HeapProfiler.collectGarbage')
  const { result } = (await inspector.ask('Runtime.evaluate', { expression: USED, returnByValue: true })) as {
    result: { value: number }
  }
  inspector.close()
  return { rssBytes: rssBytes(running.pid), usedBytes: result.value }
}

const USED = '(({ heapUsed, external }) => heapUsed + external)(process.memoryUsage())'

/** Resident memory of a process. */
export function rssBytes(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]
  return Number(kib) * 1024
}

/** Open file descriptors of a process: files, sockets, pipes. */
export function descriptorCount(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length
}

/** One conversation with V8's inspector. */
class Inspector {
  readonly #socket: WebSocket
  readonly #waiting = new Map<number, (result: unknown) => void>()
  #lastId = 0

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.on('message', (bytes: Buffer) => {
      const { id, result } = JSON.parse(bytes.toString()) as { id?: number; result?: unknown }
      if (id === undefined) return
      this.#waiting.get(id)?.(result)
      this.#waiting.delete(id)
    })
  }

  static async open(address: string): Promise<Inspector> {
    const socket = new WebSocket(address)
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
    return new Inspector(socket)
  }

  ask(method: string, params: object = {}): Promise<unknown> {
    this.#lastId += 1
    const id = this.#lastId
    const answered = new Promise((resolve) => this.#waiting.set(id, resolve))
    this.#socket.send(JSON.stringify({ id, method, params }))
    return answered
  }

  close(): void {
    this.#socket.terminate()
  }
}
