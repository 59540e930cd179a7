// The embedded store at a running gateway: what is refused at the start, what is answered when the disk is full, and that a
// reload and several event loops change nothing.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { type Running, startGateway } from '../helpers/gateway.js'
import { startHeldUpstream } from '../helpers/held-upstream.js'
import { JobClient } from '../helpers/job-client.js'
import { startReceiver } from '../helpers/webhook-receiver.js'

const CHAT = { model: 'sim/echo', messages: [{ role: 'user', content: 'x' }] }

/** Sits on one file with every gateway of the test. */
function pathIn({ folder }: Running): string {
  return join(folder, 'data/jobs.db')
}

test('jobs outlive the process; a damaged file, or one in use, stops the next start by name', async (t) => {
  const first = await startGateway(t, { args: ['--port', '0'] })
  const path = pathIn(first)
  const id = await new JobClient(first).submit(CHAT)
  await new JobClient(first).until(id)
  const config = { jobs: { path } }
  await t.rejects(startGateway(t, { config }), /jobs\.db is in use by another process/)
  t.equal(await first.stop('SIGINT'), 0)
  const second = await startGateway(t, { config })
  t.match(await new JobClient(second).status(id), { status: 'completed', request: CHAT })
  t.equal(await second.stop('SIGINT'), 0)
  const bytes = readFileSync(path)
  bytes.fill(0xff, 0, 200)
  writeFileSync(path, bytes)
  await t.rejects(startGateway(t, { config }), /The job store .*jobs\.db is damaged.*The file was left unchanged/)
  t.same(readFileSync(path), bytes)
})

test('without a writable folder the start warns, jobs and idempotency keys are rejected with the reason, and everything else works', async (t) => {
  const gateway = await startGateway(t, { args: ['--port', '0'], files: { data: 'a file where the folder would be' } })
  const first = await gateway.logLine(({ msg }) => msg === 'job store unavailable')
  t.match(first, { level: 'error', reason: /data\/jobs\.db cannot be created: .*data is not a directory\.$/ })
  t.match(
    gateway.errorOutput,
    /^warning: The job store .* Jobs and requests with an Idempotency-Key will be refused\.$/m,
  )
  const client = new JobClient(gateway)
  for (let i = 0; i < 2; i++) {
    for (const headers of [{ prefer: 'respond-async' }, { 'idempotency-key': 'k' }]) {
      const refused = await client.post(CHAT, headers)
      t.equal(refused.status, 503)
      const message = /The job store could not be opened. Jobs and requests with an Idempotency-Key are rejected/
      t.match(refused.body, { error: { code: 'storage_unavailable', message } })
      t.equal(refused.headers['x-should-retry'], 'false')
    }
  }
  const second = await gateway.logLine(({ reason }) => /cannot be opened/.test(String(reason)))
  t.equal(second.msg, 'job store unavailable')
  t.equal((await client.post(CHAT)).status, 200)
  t.equal((await fetch(`${gateway.origin}/readyz`)).status, 200, 'chats are served')
  t.equal(gateway.lines.filter(({ msg }) => msg === 'job store unavailable').length, 2, 'not for each request')
})

test('all event loops accept and show jobs, and a reload takes effect', async (t) => {
  const upstream = await startHeldUpstream(t)
  const receiver = await startReceiver(t)
  const config = (concurrency: number, secret: string | null) => ({
    server: { threads: 2, port: 0 },
    providers: { up: { protocol: 'openai-chat', baseUrl: `${upstream.origin}/v1` } },
    jobs: { concurrency, webhook: { secret, allowInsecure: true, allowPrivateNetworks: true } },
  })
  const gateway = await startGateway(t, { config: config(1, null) })
  const client = new JobClient(gateway)
  const chat = { model: 'up/m', webhookUrl: receiver.url, messages: CHAT.messages }
  const ids: string[] = []
  // Over connections of their own, which the kernel spreads over the loops.
  for (let i = 0; i < 12; i++) ids.push(await client.submit(chat, { connection: 'close' }))
  ;(await upstream.next()).say('a')
  const [unsigned] = await receiver.until(1)
  t.equal(unsigned?.headers['webhook-signature'], undefined)
  writeFileSync(join(gateway.folder, 'sluice.json'), JSON.stringify(config(6, '0123456789abcdef')))
  gateway.child.kill('SIGHUP')
  await gateway.logLine(({ msg }) => msg === 'configuration reloaded')
  ;(await upstream.next()).say('b')
  for (let i = 0; i < 6; i++) (await upstream.next()).say('c')
  for (let i = 0; i < 4; i++) (await upstream.next()).say('d')
  for (const id of ids) t.match(await client.until(id), { status: 'completed' })
  const told = await receiver.until(12)
  t.match(told.at(-1)?.headers, { 'webhook-signature': /^v1,/ }, 'signed from then on')
})
