// A real redis-server on a free port, of this test file alone, without any file of its own unless told to keep one.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createConnection } from 'node:net'
import { freePort } from './free-port.js'

const START_MS = 30_000

export type RedisServer = {
  readonly port: number
  readonly url: string
  readonly pid: number
  kill(signal?: NodeJS.Signals): Promise<void>
}

export type RedisServerOptions = { readonly port?: number; readonly args?: readonly string[] }

/** Starts one and waits until it answers. */
export async function startRedis({ port: wanted, args = [] }: RedisServerOptions = {}): Promise<RedisServer> {
  const port = wanted ?? (await freePort())
  const fixed = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--maxmemory-policy', 'noeviction']
  const child = spawn('redis-server', [...fixed, ...args], { stdio: ['ignore', 'ignore', 'inherit'] })
  const gone = once(child, 'exit')
  // However the tests end, it ends with them.
  const kill = (): boolean => child.kill('SIGKILL')
  process.once('exit', kill)
  child.once('exit', () => process.off('exit', kill))
  await answers(port, child)
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    pid: child.pid ?? 0,
    async kill(signal = 'SIGKILL') {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill(signal)
      await gone
    },
  }
}

async function answers(port: number, child: ChildProcess): Promise<void> {
  const deadlineMs = performance.now() + START_MS
  while (performance.now() < deadlineMs && child.exitCode === null) {
    if (await ping(port)) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  child.kill('SIGKILL')
  throw new Error(`redis-server does not answer on port ${port}`)
}

function ping(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1' }, () => socket.write('PING\r\n'))
    socket.once('error', () => resolve(false))
    // While it loads its file it answers -LOADING.
    socket.once('data', (bytes) => {
      socket.destroy()
      resolve(bytes.toString().startsWith('+PONG'))
    })
  })
}
