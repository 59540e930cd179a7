// A real tinyproxy on a free port of loopback, which asks for credentials and tunnels to the ports that it is told of.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { accepts, freePort } from './free-port.js'
import { type Teardown } from './gateway.js'

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
