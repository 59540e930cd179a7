// What becomes a job and what does not, what is refused before it does, and requests that are carried out once.
import { type Test, test } from 'tap'
import { GatewayError } from '../../../src/errors.js'
import { type JobPolicy } from '../../../src/server/context.js'
import { CHAT_PATH, fakeSurface } from '../../helpers/fake-pipeline.js'
import { startJobFront } from '../../helpers/job-front.js'
import { exchangeRaw, openRaw, post } from '../../helpers/raw-http.js'

const CHAT = '{"model":"m","big":12345678901234567890}'
const ROOM = { perKey: 100_000, all: 100_000 }
const ASYNC = { headers: { prefer: 'respond-async' } }

test('a webhook, a preference or the habit of the gateway makes a job; the rest passes', async (t) => {
  const statusOf = async (text: string, headers: Record<string, string>, habits: Partial<JobPolicy> = {}) =>
    (await (await startJobFront(t, habits)).ask('', text, { headers })).status
  t.equal(await statusOf(CHAT, {}), 200)
  t.equal(await statusOf(CHAT, { prefer: 'wait=5, Respond-Async;x=1' }), 202)
  t.equal(await statusOf(CHAT, { prefer: 'respond-asynchronously' }), 200)
  t.equal(await statusOf('{"webhookUrl":"https://h.example/"}', {}), 202)
  t.equal(await statusOf('{"text":"\\"webhookUrl\\""}', {}), 200, 'the word alone is none')
  const always = { isAsyncByDefault: true }
  t.equal(await statusOf(CHAT, {}, always), 202)
  t.equal(await statusOf('{"stream":true}', {}, always), 200)
  t.equal(await statusOf('{"stream":true,"webhookUrl":"https://h.example/"}', {}, always), 202)
})

test('stores the request byte for byte, without what is no part of a job, under the name of its key', async (t) => {
  const { ask, store } = await startJobFront(t)
  const body = '{"stream":true,"model":"m","big":12345678901234567890,"webhookUrl":"https://h.example/x#y"}'
  const { status, headers, body: answer } = await ask('', body, { headers: { 'x-parameter': 'p' } })
  t.equal(status, 202)
  t.same(answer, { request_id: 'job_0', status: 'pending', queue_position: 1, active_requests: 0 })
  t.equal(headers.get('location'), '/v1/chat/completions/job_0')
  t.equal(headers.get('preference-applied'), null)
  const job = await store.get('job_0')
  t.equal(job?.request, '{"model":"m","big":12345678901234567890}')
  t.match(job, { owner: 'a', context: { parameterHeaders: { 'x-parameter': 'p' } } })
  t.match(job?.webhook, { url: 'https://h.example/x', state: 'waiting' })
  t.equal((await ask('', CHAT, ASYNC)).headers.get('preference-applied'), 'respond-async')
})

/** Of the one that is refused: status, code, and what it leaves behind. */
async function refusal(t: Test, habits: Partial<JobPolicy>, body = CHAT, headers = ASYNC.headers) {
  const { ask, store } = await startJobFront(t, habits)
  const { status, body: answer } = await ask('', body, { headers })
  const { code, message } = answer.error as { code: string; message: string }
  return { told: `${status} ${code}`, message, pending: (await store.counts()).jobs.pending }
}

test('a model that is not there, or not for this key, is refused at the door', async (t) => {
  for (const code of ['model_not_found', 'forbidden'] as const) {
    const asked: unknown[] = []
    const checkRoute: JobPolicy['checkRoute'] = (key, { facts: { model } }) => {
      asked.push([key.name, model])
      throw new GatewayError(code)
    }
    const { told, pending } = await refusal(t, { checkRoute })
    t.equal(told, code === 'forbidden' ? '403 forbidden' : '404 model_not_found')
    t.same(asked, [['a', 'm']])
    t.equal(pending, 0)
  }
})

test('a full queue is 429 for a key that has used its places, 503 if all are taken', async (t) => {
  t.match(await refusal(t, { caps: { perKey: 0, all: 5, stored: ROOM } }), { told: '429 rate_limited', pending: 0 })
  t.match(await refusal(t, { caps: { perKey: 5, all: 0, stored: ROOM } }), { told: '503 overloaded', pending: 0 })
})

test('rejects invalid webhook URLs and idempotency keys', async (t) => {
  for (const url of ['5', '"http://h.example/"', '"https://127.0.0.1/"', '"nowhere"']) {
    t.match(await refusal(t, {}, `{"webhookUrl":${url}}`), { told: '400 invalid_request', pending: 0 }, url)
  }
  const headers = { ...ASYNC.headers, 'idempotency-key': 'x'.repeat(256) }
  t.match(await refusal(t, {}, CHAT, headers), { told: '400 invalid_request', pending: 0 })
})

test('the same key and body is one job, another body is 422, and callers do not share keys', async (t) => {
  const { ask } = await startJobFront(t)
  const headers = { ...ASYNC.headers, 'idempotency-key': 'k' }
  t.match((await ask('', CHAT, { headers })).body, { request_id: 'job_0' })
  t.match((await ask('', CHAT, { headers })).body, { request_id: 'job_0', status: 'pending' })
  t.equal((await ask('', '{"model":"n"}', { headers })).status, 422)
  t.equal((await ask('', CHAT, { headers: { 'idempotency-key': 'k' } })).status, 422, 'not as a job')
  t.match((await ask('', CHAT, { headers, key: 'b' })).body, { request_id: 'job_3' })
})

test('a direct request with a key runs once, and a repetition gets its answer', async (t) => {
  const { ask, pipeline } = await startJobFront(t)
  const headers = { 'idempotency-key': 'k' }
  let free = (): void => undefined
  const held = new Promise<void>((resolve) => {
    pipeline.script = (exchange) => {
      free = () => exchange.reply(201, '{"n":1}')
      resolve()
    }
  })
  const first = ask('', CHAT, { headers })
  await held
  t.equal((await ask('', CHAT, { headers })).status, 409)
  free()
  t.same((await first).body, { n: 1 })
  const again = await ask('', CHAT, { headers })
  t.equal(again.status, 201)
  t.equal(again.text, '{"n":1}')
  t.equal(again.headers.get('idempotency-replayed'), 'true')
  t.equal(pipeline.exchanges.length, 1)
  t.equal((await ask('', '{}', { headers })).status, 422)
})

test('the same body on a path that says more is another request, and a key of another is not answered with it', async (t) => {
  const routes = [
    { method: 'POST', path: CHAT_PATH },
    { method: 'POST', path: `${CHAT_PATH}/stream`, streams: true },
    { method: 'POST', path: `${CHAT_PATH}/{provider}` },
  ] as const
  const { ask, pipeline } = await startJobFront(t, {}, { ...fakeSurface, routes })
  pipeline.script = (exchange) => exchange.reply(200, '{"n":1}')
  const headers = { 'idempotency-key': 'k' }
  t.equal((await ask('/north', CHAT, { headers })).status, 200)
  for (const path of ['/south', '/stream', '']) t.equal((await ask(path, CHAT, { headers })).status, 422, path)
  t.equal((await ask('/north', CHAT, { headers })).headers.get('idempotency-replayed'), 'true')
  t.equal(pipeline.exchanges.length, 1)
})

test('a client that leaves a request with an idempotency key frees that key, also before the request has begun', async (t) => {
  for (const moment of ['while it runs', 'while its key is taken']) {
    const { ask, pipeline, port, server, store } = await startJobFront(t)
    const began = new Promise<void>((resolve) => {
      pipeline.script = () => resolve()
    })
    const socket = await openRaw(port)
    const left = async () => {
      socket.destroy()
      while (server.open.requests > 0) await new Promise(setImmediate)
    }
    const begin = store.begin.bind(store)
    const taken = new Promise<void>((resolve) => {
      store.begin = async (...asked) => {
        const beginning = await begin(...asked)
        if (moment === 'while its key is taken') await left()
        store.begin = begin
        resolve()
        return beginning
      }
    })
    socket.write(post(CHAT_PATH, CHAT, 'x-api-key: a\r\nidempotency-key: k\r\n'))
    await taken
    if (moment === 'while it runs') await began.then(left)
    pipeline.script = (exchange) => exchange.reply(200, '{"n":2}')
    const again = () => ask('', CHAT, { headers: { 'idempotency-key': 'k' } })
    let answer = await again()
    for (let tries = 0; answer.status === 409 && tries < 100; tries++) answer = await again()
    t.same(answer.body, { n: 2 }, moment)
  }
})

test('an unavailable store is 503 for jobs and for keys; other requests are served', async (t) => {
  const { ask, store } = await startJobFront(t)
  store.isDown = true
  t.equal((await ask('', CHAT, ASYNC)).status, 503)
  t.equal((await ask('', CHAT, { headers: { 'idempotency-key': 'k' } })).status, 503)
  t.equal((await ask('', CHAT)).status, 200)
})

test('two Idempotency-Key headers are refused, and neither key is taken', async (t) => {
  const { port, pipeline, store } = await startJobFront(t)
  const twice = 'x-api-key: a\r\nidempotency-key: k\r\nidempotency-key: l\r\n'
  for (const headers of [twice, `${twice}prefer: respond-async\r\n`]) {
    const { answers } = await exchangeRaw(port, post(CHAT_PATH, CHAT, headers))
    t.equal(answers[0]?.status, 400)
    t.match(`${answers[0]?.body}`, /Duplicate Idempotency-Key header/)
  }
  t.equal(pipeline.exchanges.length, 0)
  t.same(store.calls, [])
})

test('a job without room is 429 for its key and 507 for all, with the option and when to come back; one that never fits is 413', async (t) => {
  const caps = (perKey: number, all: number): Partial<JobPolicy> => ({
    caps: { perKey: 5, all: 5, stored: { perKey, all } },
  })
  const accept = async (habits: Partial<JobPolicy>) => {
    const front = await startJobFront(t, habits)
    const first = await front.ask('', CHAT, ASYNC)
    const second = await front.ask('', CHAT, ASYNC)
    t.equal((await front.store.counts()).jobs.pending, first.status === 202 ? 1 : 0)
    return { first, second, told: front.told }
  }
  const ofKey = await accept(caps(120, 1000))
  t.equal(ofKey.first.status, 202)
  t.match(ofKey.second, { status: 429, text: /jobs\.maxStoredBytesPerKey/ })
  t.same(ofKey.told, ['no room: key'])
  const ofAll = await accept(caps(1000, 120))
  t.match(ofAll.second, { status: 507, text: /jobs\.maxStoredBytes\)/ })
  t.same(ofAll.told, ['no room: gateway'])
  const never = await accept(caps(10, 1000))
  t.match(never.first, { status: 413, text: /request alone exceeds/ })
})

test('a job counts on arrival, even if it is rejected there; an invalid request does not', async (t) => {
  const counted: (string | null)[] = []
  let isOver = false
  const countRequest: JobPolicy['countRequest'] = ({ name }) => {
    counted.push(name)
    return isOver ? Promise.reject(new GatewayError('rate_limited', { retryAfterMs: 1000 })) : null
  }
  const { ask, store } = await startJobFront(t, { countRequest })
  t.equal((await ask('', CHAT, ASYNC)).status, 202)
  t.equal((await ask('', '{"webhookUrl":5}', ASYNC)).status, 400)
  t.equal((await ask('', CHAT)).status, 200)
  t.same(counted, ['a', 'a'])
  isOver = true
  t.equal((await ask('', CHAT, ASYNC)).status, 429)
  t.equal((await store.counts()).jobs.pending, 1)
})

test('a job that needs more tokens than a limit ever grants is refused at the door', async (t) => {
  const checkTokens: JobPolicy['checkTokens'] = (key, { estimatedTokens }) => {
    t.same([key.name, estimatedTokens], ['a', 1])
    throw new GatewayError('rate_limited', { retryable: false })
  }
  t.match(await refusal(t, { checkTokens }), { told: '429 rate_limited', pending: 0 })
})

test('an answer above jobs.maxAnswerBytes is delivered, not kept, and its repetition runs again', async (t) => {
  const { ask, pipeline, told } = await startJobFront(t, { maxAnswerBytes: 10 })
  for (const body of ['"12345678"', '"123456789"']) {
    pipeline.script = (exchange) => exchange.reply(200, body)
    for (let i = 0; i < 2; i++) t.equal((await ask('', CHAT, { headers: { 'idempotency-key': body } })).text, body)
  }
  t.equal(pipeline.exchanges.length, 3, 'the short one once, the long one twice')
  t.same(told, ['not kept: size', 'not kept: size'])
})
