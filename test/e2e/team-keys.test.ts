// The guide "Give a team a key" as its reader follows it: its commands one after the other in one shell, against a gateway.
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { test } from 'tap'
import { MAIN, simulatedProviders, startGateway, startSimulator } from '../helpers/gateway.js'
import { fencedBlocks, PAGES } from '../helpers/markdown.js'

const run = promisify(execFile)
const GUIDE = 'docs/guide/team-keys.md'
const ADMIN_KEY = 'admin-key-0123456789'
const MARK = '--- end of a block'

test('the commands of the guide create, use, show, rotate and revoke a key', async (t) => {
  const simulator = await startSimulator(t)
  const folder = mkdtempSync(join(tmpdir(), 'sluice-guide-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const config = {
    admin: { port: 0 },
    accounts: { store: 'sqlite', path: join(folder, 'accounts.db') },
    prices: { enabled: true, models: { '*/*': { input: 1, output: 2 } } },
    providers: simulatedProviders(simulator.origin),
    models: { fast: 'openai/echo' },
  }
  const gateway = await startGateway(t, { config, env: { ADMIN_KEY } })
  const admin = String((await gateway.logLine(({ msg }) => msg === 'listening')).admin)
  const page = PAGES.find(({ path }) => path === GUIDE)
  const blocks = fencedBlocks(page?.text ?? '').filter(({ language }) => language === 'sh')
  const script = blocks
    .map(({ text }) =>
      text.replaceAll('http://127.0.0.1:3001', admin).replaceAll('http://127.0.0.1:3000', gateway.origin),
    )
    .join(`\necho; echo '${MARK}'\n`)
  const sluice = `sluice() { "$NODE" "$MAIN" "$1" "\${@:2}" --url "$URL"; }`
  const env = { ...process.env, ADMIN_KEY, NODE: process.execPath, MAIN, URL: admin }
  const { stdout } = await run('bash', ['-euo', 'pipefail', '-c', `${sluice}\n${script}\necho "$KEY $NEW"`], {
    ...{ env, cwd: folder },
  })
  const [team = '', key, chat = '', usage = '', spend, rotated, both, revoked = ''] = stdout
    .split(MARK)
    .map((text) => text.trim())
  t.match(JSON.parse(team), { name: 'search', budgets: [{ usd: 500, per: 'month' }] })
  t.equal(key, '', 'the secret is in a variable')
  t.match(JSON.parse(chat), { choices: [{ message: { content: 'Tell me about rivers.' } }] })
  t.match(JSON.parse(usage), {
    ...{ key: 'search-app', team: 'search', limits: { requestsPerMinute: 600, concurrency: 20 } },
    budgets: [{ name: 'key:search-app:month', usd: 50, reserved: 0 }],
  })
  t.match(spend, /^TEAM +KEY +REQUESTS .*USD\n(search +search-app .*\n)?TOTAL/)
  t.equal(rotated, '')
  t.equal(both, '200\n200')
  const [said, secrets = ''] = revoked.split('\n')
  t.equal(said, 'Key search-app is revoked.')
  for (const secret of secrets.split(' ')) {
    t.match(secret, /^sk-sluice-/)
    const answer = await fetch(`${gateway.origin}/v1/models`, { headers: { authorization: `Bearer ${secret}` } })
    t.equal(answer.status, 401)
  }
})
