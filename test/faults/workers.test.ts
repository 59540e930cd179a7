// A codec worker that throws, ends, hangs or outgrows its heap while a hundred requests are under way: what it had in its hands
// is 500 or 503 within the task timeout, everything else is answered as if nothing were, and the pool is whole again.
import { type Test, test } from 'tap'
import { request } from 'undici'
import { type Running, simulatedProviders, startGateway, startSimulator } from '../helpers/gateway.js'
import { ILL_WORKERS } from '../helpers/ill-worker.js'
import { parsePage, sampleValue } from '../helpers/prometheus.js'

const WORKERS = 2
/** Tasks that one worker has at a time (offload/pool.ts). */
const IN_ONE_HAND = 16
const MIN_BYTES = 4096
/** Longer than a busy machine needs to start a worker anew: what waits for one must not run into it. */
const TASK_TIMEOUT_MS = 8000
/** The machine is busy with a hundred requests. */
const SLACK_MS = 30_000
/** Large enough for a worker, too small to be skimmed. */
const LARGE = 'x'.repeat(MIN_BYTES)
const STREAMS = 20

type Answer = { readonly status: number; readonly text: string; readonly tookMs: number }

async function ask({ origin }: Running, content: string, fields: object = {}): Promise<Answer> {
  const askedAtMs = performance.now()
  const { statusCode, body } = await request(`${origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      model: 'openai/lorem-max',
      max_tokens: 5,
      messages: [{ role: 'user', content }],
      ...fields,
    }),
  })
  const text = await body.text()
  return { status: statusCode, text, tookMs: performance.now() - askedAtMs }
}

async function start(t: Test): Promise<Running> {
  const simulator = await startSimulator(t, ['--tokens-per-second', '500'])
  const gateway = await startGateway(t, {
    config: {
      offload: { minBytes: MIN_BYTES, workers: WORKERS, taskTimeoutMs: TASK_TIMEOUT_MS },
      limits: { shed: { lagMs: null } },
      routing: { retries: { max: 0 } },
      providers: simulatedProviders(simulator.origin),
    },
    env: ILL_WORKERS,
  })
  // Both workers are up before anything is measured.
  for (let i = 0; i < 20; i++) if ((await ask(gateway, LARGE)).status === 200) return gateway
  throw new Error('the pool does not start')
}

for (const fault of ['throw', 'exit', 'oom', 'loop']) {
  test(`a worker in trouble (${fault}) under a hundred requests costs its own tasks alone`, async (t) => {
    const gateway = await start(t)
    const { pid } = gateway
    // Inline, decoded already, and streaming all the while.
    const streams = Array.from({ length: STREAMS }, () =>
      ask(gateway, 'Hi', { model: 'openai/lorem-max', stream: true, max_tokens: 500 }),
    )
    const small = Array.from({ length: 30 }, () => ask(gateway, 'Hi'))
    const large = Array.from({ length: 25 }, () => ask(gateway, LARGE))
    const ill = ask(gateway, LARGE, { stop: [`!worker-${fault}`] })
    const later = Array.from({ length: 25 }, () => ask(gateway, LARGE))

    const { status, text, tookMs } = await ill
    t.equal(status, fault === 'throw' ? 500 : 503, text)
    t.ok(tookMs < TASK_TIMEOUT_MS + SLACK_MS, `${Math.round(tookMs)} ms`)
    for (const answer of await Promise.all(small)) t.equal(answer.status, 200)
    for (const answer of await Promise.all(streams)) {
      t.equal(answer.status, 200)
      t.match(answer.text, 'data: [DONE]')
    }
    const others = await Promise.all([...large, ...later])
    const lost = others.filter((answer) => answer.status !== 200)
    t.ok(lost.length < IN_ONE_HAND, `${lost.length} of ${others.length} others were lost`)
    t.same(
      lost.filter((answer) => answer.status !== 503),
      [],
    )

    t.ok(await isWhole(gateway), 'the pool takes up its work again')
    // Were one not replaced, these would find the other, and nobody would be left.
    for (let i = 1; i < WORKERS; i++) await ask(gateway, LARGE, { stop: [`!worker-${fault}`] })
    t.ok(await isWhole(gateway), 'and each worker had been replaced')
    t.equal(gateway.child.exitCode, null)
    t.equal(gateway.pid, pid)
    const { samples } = parsePage(await (await request(`${gateway.origin}/metrics`)).body.text())
    t.equal(sampleValue(samples, 'sluice_active_requests'), 0)
    t.equal(sampleValue(samples, 'sluice_offload_queue'), 0)
    t.equal(await gateway.stop(), 0)
  })
}

/** Twice as many at once as one worker has hands for, all of them answered: within the time that a new worker needs. */
async function isWhole(gateway: Running): Promise<boolean> {
  for (let round = 0; round < 20; round++) {
    const answers = await Promise.all(Array.from({ length: 2 * IN_ONE_HAND }, () => ask(gateway, LARGE)))
    if (answers.every(({ status }) => status === 200)) return true
  }
  return false
}
