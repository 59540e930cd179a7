// The gateway itself is killed with SIGKILL at random moments with jobs on their way, on one file: every job that was answered
// 202 comes to an end, and each webhook arrives at least once, under one id.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'tap'
import { type Running, simulatedProviders, startGateway, startSimulator } from '../helpers/gateway.js'
import { JobClient } from '../helpers/job-client.js'
import { startReceiver } from '../helpers/webhook-receiver.js'

const ROUNDS = Number(process.env.SOAK_ROUNDS ?? 6)
/** After it listens. */
const LONGEST_LIFE_MS = 250
const IN_FLIGHT = 4

test(`killed ${ROUNDS} times at random, every 202 ends and its webhook comes`, {
  timeout: 60_000 + ROUNDS * 5000,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-job-kill-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const simulator = await startSimulator(t)
  const receiver = await startReceiver(t)
  const config = {
    providers: simulatedProviders(simulator.origin),
    jobs: {
      ...{ path: join(folder, 'jobs.db'), concurrency: 4, attempts: 100 },
      webhook: { allowInsecure: true, allowPrivateNetworks: true },
    },
  }
  const accepted: string[] = []
  // A slow machine may not have accepted any before the end came: then further ones follow.
  const isDone = (round: number): boolean => round >= ROUNDS && (accepted.length > ROUNDS || round >= 4 * ROUNDS)
  for (let round = 0; !isDone(round); round++) {
    const gateway = await startGateway(t, { config })
    const submitting = Array.from({ length: IN_FLIGHT }, () => submitUntilDead(gateway, receiver.url, accepted))
    await new Promise((resolve) => setTimeout(resolve, Math.random() * LONGEST_LIFE_MS * (1 + round / ROUNDS)))
    await gateway.stop('SIGKILL')
    await Promise.all(submitting)
  }
  const last = await startGateway(t, { config })
  const client = new JobClient(last)
  t.ok(accepted.length > ROUNDS, `${accepted.length} accepted`)
  for (const id of accepted) {
    const { status, response } = await client.until(id)
    t.equal(status, 'completed')
    t.ok(response)
    const told = await receiver.until(1, id)
    t.same(new Set(told.map(({ headers }) => headers['webhook-id'])), new Set([id]))
  }
  t.equal(await last.stop('SIGINT'), 0)
})

/** Submits one after the other until nobody answers; what was answered 202 is written down. */
async function submitUntilDead(gateway: Running, webhookUrl: string, accepted: string[]): Promise<void> {
  const client = new JobClient(gateway)
  const body = { model: 'openai/lorem-3', webhookUrl, messages: [{ role: 'user', content: 'x' }] }
  for (;;) {
    const answer = await client.post(body).catch(() => null)
    if (answer === null) return
    if (answer.status === 202) accepted.push(String(answer.body.request_id))
  }
}
