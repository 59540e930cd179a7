// A queue-and-webhook proxy, row by row: what its document shows, at a running gateway with the simulator behind it, or at an
// upstream that is scripted where it matters when it answers.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Webhook } from 'standardwebhooks'
import tap, { test } from 'tap'
import { simulatedProviders, startGateway, startSimulator } from '../../helpers/gateway.js'
import { startHeldUpstream } from '../../helpers/held-upstream.js'
import { JobClient } from '../../helpers/job-client.js'
import { startReceiver } from '../../helpers/webhook-receiver.js'

const KEY = 'your-proxy-api-key-here'
const OTHER_KEY = 'the-key-of-somebody-else'
const SECRET = `whsec_${Buffer.from('0123456789abcdef0123456789abcdef').toString('base64')}`

const simulator = await startSimulator(tap)
const slow = await startHeldUpstream(tap)
const WEBHOOK = { secret: SECRET, allowInsecure: true, allowPrivateNetworks: true }
const providers = {
  ...simulatedProviders(simulator.origin),
  slow: { protocol: 'openai-chat', baseUrl: `${slow.origin}/v1` },
}
const keys = [{ name: 'other', key: OTHER_KEY }]
const models = { 'gpt-3.5-turbo': 'openai/echo' }
/** As its users have it: every chat is a job. */
const gateway = await startGateway(tap, {
  // Retries are the runner's alone here, so that its attempts can be counted.
  config: { keys, models, providers, jobs: { webhook: WEBHOOK }, routing: { retries: { max: 0 } } },
  env: { API_KEY: KEY, MAX_CONCURRENT: '2', ASYNC_BY_DEFAULT: 'true' },
})
const client = new JobClient(gateway, KEY)
const other = new JobClient(gateway, OTHER_KEY)

const MESSAGES = [
  { role: 'system', content: 'You are a helpful assistant.' },
  { role: 'user', content: 'What is the capital of France?' },
]
const CHAT = { model: 'gpt-3.5-turbo', messages: MESSAGES, temperature: 0.7 }
const SLOW = { model: 'slow/m', messages: MESSAGES }

test('row 25: a chat is answered 202, by webhookUrl, by Prefer, or always', async (t) => {
  const { status, body, headers } = await client.post(CHAT)
  t.equal(status, 202)
  t.same(Object.keys(body), ['request_id', 'status', 'queue_position', 'active_requests'])
  t.match(body, { request_id: /^job_[\w-]{22}$/, status: 'pending', queue_position: Number, active_requests: Number })
  t.equal(headers.location, `/v1/chat/completions/${String(body.request_id)}`)
  t.equal(headers['preference-applied'], undefined)
  const streamed = await fetch(`${gateway.origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'x-api-key': KEY, 'content-type': 'application/json' },
    body: JSON.stringify({ ...CHAT, stream: true }),
  })
  t.match(streamed.headers.get('content-type'), /event-stream/, 'a stream is a stream')
  t.match(await streamed.text(), /\[DONE\]/)

  const plain = new JobClient(await startGateway(t, { config: { models, providers, jobs: { webhook: WEBHOOK } } }))
  const direct = await plain.post(CHAT)
  t.equal(direct.status, 200, 'by default a chat is answered at once')
  const asked = await plain.post(CHAT, { prefer: 'wait=5, Respond-Async' })
  t.equal(asked.status, 202)
  t.equal(asked.headers['preference-applied'], 'respond-async')
  const receiver = await startReceiver(t)
  const hooked = await plain.post({ ...CHAT, stream: true, webhookUrl: receiver.url })
  t.equal(hooked.status, 202)
  const named = await plain.post({ ...CHAT, messages: [{ role: 'user', content: '"webhookUrl": "x"' }] })
  t.equal(named.status, 200, 'the word alone makes no job')
  await receiver.until(1)
  const { request, response } = await plain.until(String(hooked.body.request_id))
  t.same(request, CHAT, 'stored without stream and webhookUrl')
  t.ok(response)
})

test('row 26: ranges on the way of jobs are told as it did, on the direct way as OpenAI does', async (t) => {
  const wrong = [
    ['presence_penalty', 2.5],
    ['frequency_penalty', -3],
    ['top_p', 1.5],
    ['temperature', 'hot'],
    ['max_tokens', 0],
    ['stop', 7],
    ['functions', {}],
    ['function_call', 1],
    ['messages', []],
    ['webhookUrl', 'ftp://x'],
    ['webhookUrl', 5],
  ] as const
  for (const [path, value] of wrong) {
    const { status, body } = await client.post({ ...CHAT, [path]: value })
    t.equal(status, 400, path)
    t.match(body, {
      error: { message: 'Invalid request body', type: 'validation_error', details: [{ path, message: String }] },
    })
  }
  const good = { presence_penalty: -2, frequency_penalty: 2, top_p: 1, stop: ['a'], function_call: 'auto' }
  t.equal((await client.post({ ...CHAT, ...good, functions: [{ name: 'f' }], user: 'me' })).status, 202)
  const direct = await client.post({ ...CHAT, stream: true, top_p: 2 })
  t.match(direct.body, { error: { type: 'invalid_request_error', param: 'top_p' } })
  t.match((await client.post('{"model":')).body, { error: { type: 'validation_error' } })
})

test('row 27: the status of a job in each of its states', async (t) => {
  const calls = [slow.next(), slow.next()]
  const [first, second, third] = [await client.submit(SLOW), await client.submit(SLOW), await client.submit(SLOW)]
  const [one] = await Promise.all(calls)
  const running = await client.status(first)
  t.match(running, { status: 'processing', request: SLOW, timestamp: Number })
  t.notOk('response' in running || 'error' in running)
  const waiting = await client.status(third)
  t.match(waiting, { status: 'pending', request: SLOW, timestamp: Number })
  t.ok(Math.abs(waiting.timestamp - Date.now()) < 60_000)
  const last = slow.next()
  one?.say('Paris')
  const { response, status } = await client.until(first)
  t.equal(status, 'completed')
  t.equal(response?.choices[0]?.message.content, 'Paris')
  ;(await last).answer(400, '{}')
  t.match(await client.until(third), { status: 'error', error: { message: String, type: String, attempts: 1 } })
  t.equal((await client.cancel(second)).status, 200)
  await (await calls[1])?.gone
  t.match(
    await client.status(second),
    { status: 'error', error: { message: /cancelled/ } },
    'and its upstream was aborted',
  )
  t.equal((await client.cancel(second)).status, 409)
})

test('row 28: a job that is not there, or another key’s, is 404', async (t) => {
  const id = await client.submit(CHAT)
  const expected = { error: { message: 'Request not found', type: 'request_not_found' } }
  for (const [who, which] of [
    [client, 'job_none'],
    [other, id],
  ] as const) {
    const { status, body } = await who.ask(`/v1/chat/completions/${which}`)
    t.equal(status, 404)
    t.strictSame(body, expected)
    t.equal((await who.cancel(which)).status, 404)
  }
  const list = (await other.list()).body as { data: { request_id: string }[] }
  t.strictSame(list, { object: 'list', data: [], has_more: false })
  await client.until(id)
  const mine = await client.list('?status=completed&limit=1')
  t.match(mine.body, { data: [{ request_id: id, status: 'completed' }], has_more: true })
  const next = await client.list(`?limit=1&after=${id}`)
  t.not((next.body as typeof list).data[0]?.request_id, id)
  for (const query of ['?status=done', '?limit=0', '?limit=x']) t.equal((await client.list(query)).status, 400)
})

test('row 29: webhooks on completion and failure, signed, tried again', async (t) => {
  const receiver = await startReceiver(t)
  const done = await client.post({ ...CHAT, webhookUrl: receiver.url })
  const id = String(done.body.request_id)
  const [delivered] = await receiver.until(1, id)
  t.strictSame(Object.keys(delivered?.body ?? {}), ['request_id', 'status', 'response'])
  t.match(delivered?.body, { request_id: id, status: 'completed', response: { object: 'chat.completion' } })
  t.doesNotThrow(() => new Webhook(SECRET).verify(delivered?.text ?? '', delivered?.headers as Record<string, string>))
  t.match(await client.until(id, ({ webhook }) => webhook?.state === 'delivered'), { webhook: { attempts: 1 } })

  const failed = await client.post({
    model: 'openai/lorem-max+fault=status,400',
    messages: MESSAGES,
    webhookUrl: receiver.url,
  })
  const [told] = await receiver.until(1, String(failed.body.request_id))
  t.match(told?.body, { status: 'error', error: { message: String, type: String, attempts: 1 } })

  const gone = await startReceiver(t, () => 410)
  const dead = String((await client.post({ ...CHAT, webhookUrl: gone.url })).body.request_id)
  const status = await client.until(dead, ({ webhook }) => webhook?.state === 'dead')
  t.match(status.webhook, { state: 'dead', attempts: 1, last_error: 'The endpoint returned status 410.' })
  const counted = [/sluice_webhook_attempts_total\{result="dead"\} 1/, /sluice_jobs\{state="completed"\} [1-9]/]
  const page = await gateway.metricsWith(counted, { 'x-api-key': KEY })
  for (const pattern of counted) t.match(page, pattern)
})

test('row 30: MAX_CONCURRENT holds for jobs alone; positions, attempts and clean-up', async (t) => {
  const calls = [slow.next(), slow.next()]
  const ids = [await client.submit(SLOW), await client.submit(SLOW)]
  const running = await Promise.all(calls)
  const third = await client.post(SLOW)
  const fourth = await client.post(SLOW)
  t.match(third.body, { queue_position: 1, active_requests: 2 })
  t.match(fourth.body, { queue_position: 2, active_requests: 2 })
  const live = await fetch(`${gateway.origin}/v1/messages`, {
    method: 'POST',
    headers: { 'x-api-key': KEY, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'anthropic/echo', max_tokens: 10, messages: [{ role: 'user', content: 'hi' }] }),
  })
  t.equal(live.status, 200, 'live requests do not wait for jobs')
  await live.text()
  for (const each of [third, fourth]) {
    t.equal((await client.cancel(String(each.body.request_id))).status, 200)
    t.equal((await client.ask(`/v1/chat/completions/${String(each.body.request_id)}`)).status, 404, 'removed')
  }
  const again = slow.next()
  running[0]?.answer(503, '{}')
  running[1]?.say('Paris')
  ;(await again).say('Paris')
  for (const id of ids) t.equal((await client.until(id)).status, 'completed')
  for (const each of ids) await gateway.logLine(({ job, result }) => job === each && result === 'completed')
  const ran = gateway.lines.filter(({ msg, job }) => msg === 'job run ended' && ids.includes(String(job)))
  t.same(ran.map(({ result }) => result).sort(), ['completed', 'completed', 'retried'])

  const brief = new JobClient(await startGateway(t, { config: { models, providers, jobs: { retentionMs: 1000 } } }))
  const id = await brief.submit(CHAT)
  await brief.until(id)
  await brief.until(id, ({ status }) => status === undefined)
})

test('row 31: X-API-Key, 401 without, an open /health, and its headers', async (t) => {
  const stranger = new JobClient(gateway, 'not-a-key')
  for (const answer of [
    await stranger.post(CHAT),
    await stranger.list(),
    await stranger.ask('/v1/chat/completions/x'),
  ]) {
    t.equal(answer.status, 401)
  }
  const health = await new JobClient(gateway).ask('/health')
  t.strictSame(health.body, { status: 'ok' })
  t.match(health.headers, { 'x-content-type-options': 'nosniff', 'x-frame-options': 'DENY' })
})

test('row 32: its .env starts the gateway as it is, and no file is made before the first job', async (t) => {
  const env = ['OPENAI_API_KEY=k', `OPENAI_API_BASE_URL=${simulator.origin}`, 'MAX_CONCURRENT=2', `API_KEY=${KEY}`]
  const own = await startGateway(t, {
    args: ['--port', '0'],
    files: { '.env': `${[...env, 'ASYNC_BY_DEFAULT=true'].join('\n')}\n` },
  })
  t.notOk(existsSync(join(own.folder, 'data')))
  const mine = new JobClient(own, KEY)
  const id = String((await mine.post({ ...CHAT, model: 'openai/echo' })).body.request_id)
  t.match(await mine.until(id), { status: 'completed' })
  t.ok(existsSync(join(own.folder, 'data/jobs.db')))
  t.equal(await own.stop('SIGINT'), 0)
})
