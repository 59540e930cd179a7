// A real tinyproxy on a free port of loopback, which asks for credentials and tunnels to the ports that it is told of.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createConnection, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Teardown } from './gateway.js'

const START_MS = 30_000
/** The password may hold what a URL must escape. */
export const PROXY_USER = 'corp'
export const PROXY_PASSWORD = 'proxycanary1'

export type Tinyproxy = {
  /** With the right credentials. */
  readonly url: string
  readonly urlWith: (user: string, password: string) => string
  kill(): Promise<void>
}

/** Starts one that takes credentials and tunnels to these ports alone. */
export async function startTinyproxy(t: Teardown, tunnelPorts: readonly number[]): Promise<Tinyproxy> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-proxy-'))
  const port = await freePort()
  const file = join(folder, 'tinyproxy.conf')
  const lines = [
    ...[`Port ${port}`, 'Listen 127.0.0.1', 'Timeout 600', 'MaxClients 100', 'Allow 127.0.0.1', 'LogLevel Error'],
    ...[`BasicAuth ${PROXY_USER} ${PROXY_PASSWORD}`, `LogFile "${join(folder, 'log')}"`],
    ...tunnelPorts.map((allowed) => `ConnectPort ${allowed}`),
  ]
  writeFileSync(file, `${lines.join('\n')}\n`)
  const child = spawn('tinyproxy', ['-d', '-c', file], { stdio: 'ignore' })
  const gone = once(child, 'exit')
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await gone
  }
  t.teardown(async () => {
    await kill()
    rmSync(folder, { recursive: true, force: true })
  })
  await accepts(port, child)
  const urlWith = (user: string, password: string): string => `http://${user}:${password}@127.0.0.1:${port}`
  return { url: urlWith(PROXY_USER, PROXY_PASSWORD), urlWith, kill }
}

async function accepts(port: number, child: ChildProcess): Promise<void> {
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
  throw new Error(`tinyproxy does not listen on port ${port}`)
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}
