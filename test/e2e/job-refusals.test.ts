// What a running gateway refuses before it becomes a job: models that are not there or not for this key, and jobs beyond
// those that may wait. Each in the words of the caller's API.
import tap, { test } from 'tap'
import { startGateway } from '../helpers/gateway.js'
import { startHeldUpstream } from '../helpers/held-upstream.js'
import { JobClient } from '../helpers/job-client.js'

const KEY = 'key-of-the-first-team'
const OTHER_KEY = 'key-of-the-second-team'
const THIRD_KEY = 'key-of-the-third-team'
const ASYNC = { prefer: 'respond-async' }

const upstream = await startHeldUpstream(tap)
const gateway = await startGateway(tap, {
  config: {
    keys: [
      { name: 'one', key: KEY, models: ['up/*'] },
      { name: 'two', key: OTHER_KEY },
      { name: 'three', key: THIRD_KEY },
    ],
    providers: { up: { protocol: 'openai-chat', baseUrl: `${upstream.origin}/v1` } },
    models: { own: 'up/m' },
    jobs: { concurrency: 1, maxPendingPerKey: 2, maxPending: 3 },
  },
})
const [one, two, three] = [KEY, OTHER_KEY, THIRD_KEY].map((key) => new JobClient(gateway, key)) as [
  JobClient,
  JobClient,
  JobClient,
]

function chat(model: string) {
  return { model, messages: [{ role: 'user', content: 'x' }] }
}

test('a model that is not there is 404, one that the key may not use 403, and neither is a job', async (t) => {
  const unknown = await two.post(chat('no-such-model'), ASYNC)
  t.equal(unknown.status, 404)
  t.match(unknown.body, { error: { code: 'model_not_found', param: 'model' } })
  const forbidden = await one.post(chat('own'), ASYNC)
  t.equal(forbidden.status, 403)
  t.match(forbidden.body, { error: { message: 'This key is not permitted to use this model.' } })
  const pinned = await two.post({ ...chat('m'), provider: 'nobody' }, ASYNC)
  t.equal(pinned.status, 400)
  for (const client of [one, two]) t.match((await client.list()).body, { data: [] })
})

test('jobs beyond those that may wait: 429 for the key, 503 for all, and room once one has begun', async (t) => {
  const running = await one.submit(chat('up/m'))
  const accepted = await gateway.logLine(({ msg, job }) => msg === 'job accepted' && job === running)
  t.equal(accepted.key, 'one', 'the name of the key, as in the lines of exchanges')
  t.match(accepted, { method: 'POST', path: '/v1/chat/completions', address: '127.0.0.1' }, 'and where it came from')
  const held = await upstream.next()
  for (let i = 0; i < 2; i++) await one.submit(chat('up/m'))
  const full = await one.post(chat('up/m'), ASYNC)
  t.equal(full.status, 429)
  t.match(full.body, {
    error: { code: 'rate_limit_exceeded', message: 'Too many pending jobs for this key (jobs.maxPendingPerKey).' },
  })
  t.ok(Number(full.headers['retry-after']) > 0)
  await two.submit(chat('own'))
  const all = await three.post(chat('own'), ASYNC)
  t.equal(all.status, 503)
  t.match(all.body, { error: { message: 'The job queue is full (jobs.maxPending).' } })
  t.ok(Number(all.headers['retry-after']) > 0)
  held.say('done')
  await one.until(running)
  await upstream.next()
  const late = await three.submit(chat('own'))
  t.match(await three.status(late), { status: 'pending' })
})

test('jobs are counted as requests when they are accepted, and their runs are not counted again', async (t) => {
  const keys = [
    { name: 'counted', key: KEY, limits: { requestsPerMinute: 3 } },
    { name: 'tokens', key: OTHER_KEY, limits: { tokensPerMinute: 1000 } },
  ]
  const providers = { up: { protocol: 'openai-chat', baseUrl: `${upstream.origin}/v1` } }
  const limited = await startGateway(t, { config: { keys, providers, jobs: { concurrency: 1 } } })
  const counted = new JobClient(limited, KEY)
  const accepted = [await counted.submit(chat('up/m')), await counted.submit(chat('up/m'))]
  for (const id of accepted) {
    ;(await upstream.next()).say('done')
    t.match(await counted.until(id), { status: 'completed' })
  }
  await counted.submit(chat('up/m'))
  const full = await counted.post(chat('up/m'), ASYNC)
  t.equal(full.status, 429)
  t.match(full.body, { error: { message: /limit of 3 requests per minute for this key/ } })
  ;(await upstream.next()).say('done')
  const tokens = new JobClient(limited, OTHER_KEY)
  const never = await tokens.post({ ...chat('up/m'), max_tokens: 2000 }, ASYNC)
  t.equal(never.status, 429)
  t.match(never.body, { error: { message: /exceeds the limit of 1000 per minute for this key/ } })
  t.match((await tokens.list()).body, { data: [] })
})

test('a key whose jobs fill its storage gets 429 naming the option; other keys continue, and cancelled jobs free space', async (t) => {
  const keys = [
    { name: 'one', key: KEY },
    { name: 'two', key: OTHER_KEY },
  ]
  const providers = { up: { protocol: 'openai-chat', baseUrl: `${upstream.origin}/v1` } }
  const jobs = { concurrency: 1, maxStoredBytesPerKey: 30_000, maxStoredBytes: 45_000 }
  const small = await startGateway(t, { config: { keys, providers, jobs, metrics: { token: 'metrics-token' } } })
  const large = { ...chat('up/m'), messages: [{ role: 'user', content: 'x'.repeat(12_000) }] }
  const [first, second] = [new JobClient(small, KEY), new JobClient(small, OTHER_KEY)]
  await first.submit(large)
  const held = await upstream.next()
  const waiting = await first.submit(large)
  const full = await first.post(large, ASYNC)
  t.equal(full.status, 429)
  t.match(full.body, { error: { message: /30000 bytes \(jobs\.maxStoredBytesPerKey\)/ } })
  t.equal(full.headers['retry-after'], '60')
  await second.submit(large)
  const all = await second.post(large, ASYNC)
  t.equal(all.status, 507)
  t.match(all.body, { error: { message: /45000 bytes \(jobs\.maxStoredBytes\)/ } })
  const page = async () =>
    (await fetch(`${small.origin}/metrics`, { headers: { authorization: 'Bearer metrics-token' } })).text()
  t.match(await page(), /sluice_limit_rejections_total\{scope="key",limit="stored"\} 1/)
  await first.cancel(waiting)
  await first.submit(large)
  while (!/sluice_stored_bytes\{kind="jobs"\} 3[67]\d{3}\n/.test(await page()))
    await new Promise((done) => setTimeout(done, 50))
  held.say('done')
})
