// Starts a gateway with an account database in a process of its own, and calls its store.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { type AccountCalls } from '../../src/accounts/store.js'
import { type StoreReply } from './accounts-process.js'
import { Running, type Teardown } from './gateway.js'

const CHILD = fileURLToPath(new URL('./accounts-process.js', import.meta.url))

/** Calls of the store in that process. */
export type RemoteStore = Pick<AccountCalls, 'createKey' | 'updateKey' | 'rotateKey' | 'deleteKey' | 'createTeam'>

/** `config` as in a file; its port is a free one. */
export async function startAccountsGateway(
  t: Teardown,
  config: object,
): Promise<{ gateway: Running; store: RemoteStore }> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-accounts-'))
  const file = join(folder, 'sluice.json')
  const server = { port: 0, ...(config as { server?: object }).server }
  writeFileSync(file, JSON.stringify({ accounts: { store: 'sqlite' }, ...config, server }))
  const env = { PATH: process.env.PATH ?? '', HOME: folder }
  const child = spawn(process.execPath, [CHILD, file], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
  const gateway = new Running(child, folder)
  t.teardown(async () => {
    await gateway.stop('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  })
  if (child.stdout !== null) createInterface({ input: child.stdout }).on('line', (line) => gateway.take(line))
  const ended = new Promise<never>((_resolve, reject) => {
    child.once('exit', () => reject(new Error(`ended: ${gateway.errorOutput}`)))
  })
  ended.catch(() => undefined)
  await Promise.race([gateway.ready, ended])
  const waiting = new Map<number, (reply: StoreReply) => void>()
  let count = 0
  child.on('message', (reply: StoreReply) => waiting.get(reply.n)?.(reply))
  const call = (name: keyof RemoteStore) =>
    async function called(...args: readonly unknown[]): Promise<unknown> {
      count += 1
      const n = count
      const reply = await new Promise<StoreReply>((resolve) => {
        waiting.set(n, resolve)
        child.send({ n, name, args })
      })
      if (reply.error !== undefined) throw new Error(JSON.stringify(reply.error))
      return reply.value
    }
  const names = ['createKey', 'updateKey', 'rotateKey', 'deleteKey', 'createTeam'] as const
  return { gateway, store: Object.fromEntries(names.map((name) => [name, call(name)])) as unknown as RemoteStore }
}
