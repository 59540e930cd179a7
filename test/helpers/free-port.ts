// Ports for programs that are told theirs, and when they listen on them.
import { type ChildProcess } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createConnection, createServer } from 'node:net'

const START_MS = 30_000
/** Below those that a system gives to outgoing connections, of which one could take the port before the program has it. */
const FIRST_PORT = 12_000
const END_PORT = 32_000
const TRIES = 100

/** One of loopback that nobody uses now, and that nobody gets who does not ask for it by its number. */
export async function freePort(): Promise<number> {
  for (let i = 0; i < TRIES; i++) {
    const port = randomInt(FIRST_PORT, END_PORT)
    if (await isFree(port)) return port
  }
  throw new Error('no port is free')
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
  } catch {
    return false
  }
  server.close()
  await once(server, 'close')
  return true
}

/** Resolves when the program accepts connections; rejects if it ends before, or takes too long. */
export async function accepts(port: number, child: ChildProcess): Promise<void> {
  const deadlineMs = performance.now() + START_MS
  while (performance.now() < deadlineMs && child.exitCode === null) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = createConnection({ port, host: '127.0.0.1' }, () => {
        socket.destroy()
        resolve(true)
      })
      socket.once('error', () => resolve(false))
    })
    if (isOpen) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error(`${child.spawnfile} does not listen on port ${port}`)
}
