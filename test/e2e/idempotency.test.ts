// Idempotency-Key at a running gateway: one execution, whatever comes at once or again; its end by key, body and client.
import tap, { test } from 'tap'
import { startGateway } from '../helpers/gateway.js'
import { startHeldUpstream } from '../helpers/held-upstream.js'
import { JobClient } from '../helpers/job-client.js'

const upstream = await startHeldUpstream(tap)
const gateway = await startGateway(tap, {
  config: {
    server: { threads: 2 },
    keys: [
      { name: 'one', key: 'key-of-the-first-team' },
      { name: 'two', key: 'key-of-the-second-team' },
    ],
    providers: { up: { protocol: 'openai-chat', baseUrl: `${upstream.origin}/v1` } },
    jobs: { concurrency: 50 },
  },
})
const one = new JobClient(gateway, 'key-of-the-first-team')
const two = new JobClient(gateway, 'key-of-the-second-team')

function chat(content: string) {
  return { model: 'up/m', messages: [{ role: 'user', content }] }
}

function keyed(key: string): Record<string, string> {
  return { 'idempotency-key': key }
}

test('100 at once with one key on two event loops are one execution', async (t) => {
  const before = upstream.count
  const asking = Array.from({ length: 100 }, () => one.post(chat('all'), keyed('all')))
  const held = await upstream.next()
  await one.post(chat('all'), keyed('all'))
  held.say('once')
  const answers = await Promise.all(asking)
  t.equal(upstream.count - before, 1)
  const statuses = answers.map(({ status }) => status)
  t.ok(statuses.includes(200))
  // 429: more than may wait until it is known whether the first one streams.
  t.same(new Set(statuses.filter((status) => ![200, 429].includes(status))), new Set([409]))
  const again = await one.post(chat('all'), keyed('all'))
  t.equal(again.status, 200)
  t.equal(again.headers['idempotency-replayed'], 'true')
  t.equal(again.text, answers.find(({ status }) => status === 200)?.text)
  t.equal(upstream.count - before, 1)
})

test('100 jobs at once with one key are one job', async (t) => {
  const before = upstream.count
  const headers = { prefer: 'respond-async', ...keyed('job') }
  const answers = await Promise.all(Array.from({ length: 100 }, () => one.post(chat('job'), headers)))
  t.same(new Set(answers.map(({ status }) => status)), new Set([202]))
  const ids = new Set(answers.map(({ body }) => String(body.request_id)))
  t.equal(ids.size, 1)
  const [id = ''] = ids
  ;(await upstream.next()).say('done')
  await one.until(id)
  t.match((await one.post(chat('job'), headers)).body, { request_id: id, status: 'completed' })
  t.equal(upstream.count - before, 1)
  t.equal((await one.post(chat('other'), headers)).status, 422)
  t.equal((await one.post(chat('job'), keyed('job'))).status, 422, 'nor for a direct request')
})

test('another body is 422, another team has keys of its own, and what is no key is 400', async (t) => {
  const asking = one.post(chat('mine'), keyed('shared'))
  const first = await upstream.next()
  const running = await one.post(chat('mine'), keyed('shared'))
  t.equal(running.status, 409)
  t.equal(running.headers['retry-after'], '1')
  t.match(running.body, { error: { param: 'Idempotency-Key' } })
  t.equal((await one.post(chat('changed'), keyed('shared'))).status, 422)
  first.say('a')
  t.equal((await asking).status, 200)
  const theirs = two.post(chat('mine'), keyed('shared'))
  ;(await upstream.next()).say('b')
  t.match((await theirs).text, /"b"/)
  for (const key of ['k'.repeat(256), 'a\tb']) t.equal((await one.post(chat('x'), keyed(key))).status, 400)
})

test('an error, a stream and a client that leaves free the key', async (t) => {
  const failing = one.post(chat('fails'), keyed('fails'))
  ;(await upstream.next()).answer(400, '{}')
  t.equal((await failing).status, 400)
  const better = one.post(chat('fails'), keyed('fails'))
  ;(await upstream.next()).say('now')
  t.equal((await better).status, 200)

  const leaving = new AbortController()
  const left = fetch(`${gateway.origin}/v1/chat/completions`, {
    ...{ method: 'POST', body: JSON.stringify(chat('leaves')), signal: leaving.signal },
    headers: {
      ...{ 'x-api-key': 'key-of-the-first-team', 'content-type': 'application/json', 'idempotency-key': 'leaves' },
    },
  }).catch(() => null)
  const held = await upstream.next()
  leaving.abort()
  t.equal(await left, null)
  await held.gone
  const back = one.post(chat('leaves'), keyed('leaves'))
  ;(await upstream.next()).say('welcome back')
  t.equal((await back).status, 200)
})
