// The console of a gateway with streams to look at, as somebody on call opens it.
import { type Page } from 'playwright-core'
import { type Test } from 'tap'
import { type Running, simulatedProviders, startGateway, type Teardown } from './gateway.js'
import { startSimulator } from './simulator.js'
import { type Look, visit } from './visitor.js'

export const WRITE_KEY = 'admin-write-key-0123456789'
export const READ_KEY = 'admin-read-key-0123456789'
export const CLIENT_KEY = 'client-key-0123456789abcdef'

/** A gateway with both kinds of admin keys and a simulator behind it; `config` is added to its own. */
export async function startConsole(t: Test, { tokensPerSec = 20, config = {}, providers = {} } = {}) {
  const simulator = await startSimulator(t, { tokensPerSecond: tokensPerSec })
  const all = {
    admin: { port: 0, keys: [{ name: 'board', key: READ_KEY, role: 'read' }] },
    keys: [{ name: 'app', key: CLIENT_KEY }],
    providers: { ...simulatedProviders(simulator.origin), ...providers },
    ...config,
  }
  const gateway = await startGateway(t, { config: all, env: { ADMIN_KEY: WRITE_KEY } })
  const { admin } = await gateway.logLine(({ msg }) => msg === 'listening')
  return { gateway, url: `${admin}/console`, admin: String(admin), config: all }
}

/** Opens the console at a screen, and logs in. */
export async function openConsole(
  t: Teardown,
  url: string,
  look: Look,
  { key = WRITE_KEY, at = '', hasClock = false } = {},
) {
  const visited = await visit(t, `${url}${at}`, look, { hasClock })
  await logIn(visited.page, key)
  return visited
}

/** By keyboard alone: the field has the focus. */
export async function logIn(page: Page, key: string): Promise<void> {
  await page.getByLabel('Admin key').waitFor()
  await page.keyboard.insertText(key)
  await page.keyboard.press('Enter')
  await page.getByRole('navigation', { name: 'Screens' }).waitFor()
}

/** Begins a stream and reads it to its end; resolves when it is over, however it ends. */
export async function stream(gateway: Running, id: string, body: object = {}, key = CLIENT_KEY): Promise<string> {
  const answer = await fetch(`${gateway.origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}`, 'x-request-id': id },
    body: JSON.stringify({
      ...{ model: 'openai/lorem-max', stream: true, max_tokens: 10_000 },
      messages: [{ role: 'user', content: 'Go on' }],
      ...body,
    }),
  })
  return answer.text().catch(() => '')
}
