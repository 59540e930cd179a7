// Keys of a database at a running gateway of two event loops: a change is seen by both at once, limits are exact over them, what
// runs ends with its key, and a key that has the name of a deleted one inherits nothing.
import { once } from 'node:events'
import { t as tap, test } from 'tap'
import { Agent, request } from 'undici'
import WebSocket from 'ws'
import { type NewKey } from '../../src/accounts/types.js'
import { startAccountsGateway } from '../helpers/accounts-gateway.js'
import { type Running, simulatedProviders, startSimulator } from '../helpers/gateway.js'

const ADMIN = { by: 'test' }
const ANY = { ...ADMIN, ifVersion: null }
const FILE_KEY = 'key-of-the-file-0123456789'
const NO_LIMITS = { requestsPerMinute: null, tokensPerMinute: null, concurrency: null }
/** New connections, so that the kernel spreads them over the loops. */
const SPREAD = 12
const CHAT = { model: 'openai/echo', messages: [{ role: 'user', content: 'Hi' }] }
const STREAM = { ...CHAT, model: 'openai/lorem-max', stream: true }

function newKey(name: string, over: Partial<NewKey> = {}): NewKey {
  return {
    ...{ name, team: null, models: ['*'], limits: NO_LIMITS, tags: [], metadata: {}, trustUser: false },
    ...{ disabled: false, expiresAtMs: null, ...over },
  }
}

type Ask = {
  readonly path?: string
  readonly body?: object
  readonly method?: string
  readonly headers?: Record<string, string>
}

/** On a connection of its own. */
async function ask(
  { origin }: Running,
  secret: string,
  { path = '/v1/chat/completions', body, method, headers = {} }: Ask = {},
) {
  const dispatcher = new Agent({ connections: 1, pipelining: 1 })
  const how = method ?? (path.startsWith('/v1/chat') ? 'POST' : 'GET')
  const sent = how === 'POST' ? { body: JSON.stringify(body ?? CHAT) } : {}
  const all = { authorization: `Bearer ${secret}`, 'content-type': 'application/json', ...headers }
  const response = await request(`${origin}${path}`, { dispatcher, method: how as 'GET', headers: all, ...sent })
  const text = await response.body.text()
  await dispatcher.close()
  return { status: response.statusCode, headers: response.headers, text }
}

async function statusesOf(gateway: Running, secret: string, path = '/v1/models'): Promise<number[]> {
  return Promise.all(Array.from({ length: SPREAD }, async () => (await ask(gateway, secret, { path })).status))
}

function all(status: number): number[] {
  return Array.from({ length: SPREAD }, () => status)
}

const simulator = await startSimulator(tap, ['--tokens-per-second', '20'])
const { gateway, store } = await startAccountsGateway(tap, {
  server: { threads: 2, endRequestsOfRemovedKeys: true },
  keys: [{ name: 'file', key: FILE_KEY }],
  providers: simulatedProviders(simulator.origin),
  streams: { resume: 'always' },
})

async function create(name: string, over: Partial<NewKey> = {}): Promise<string> {
  return (await store.createKey(newKey(name, over), ADMIN)).secret ?? ''
}

/** A stream whose first bytes have come, and all of its text when it is over. */
async function startStream(secret: string) {
  const response = await fetch(`${gateway.origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
    body: JSON.stringify(STREAM),
  })
  const reader = (response.body ?? new ReadableStream<Uint8Array>()).getReader()
  const first = await reader.read()
  const rest = async (): Promise<string> => {
    let text = Buffer.from(first.value ?? []).toString()
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return text
      text += Buffer.from(value).toString()
    }
  }
  return { id: response.headers.get('x-sluice-stream') ?? '', text: rest() }
}

test('a key works on all loops as soon as it is made, and no other does', async (t) => {
  const secret = await create('first')
  t.same(await statusesOf(gateway, secret), all(200))
  t.same(await statusesOf(gateway, 'sk-sluice-guess'), all(401))
  t.same(await statusesOf(gateway, FILE_KEY), all(200), 'those of the file go on')
  await store.updateKey('first', { models: ['openai/other'] }, ANY)
  t.equal((await ask(gateway, secret)).status, 403)
  t.match((await ask(gateway, secret, { path: '/v1/models' })).text, '"data":[]')
})

test('limits of a key and of its team are exact over the loops', async (t) => {
  const own = await create('limited', { limits: { ...NO_LIMITS, requestsPerMinute: 10 } })
  await store.createTeam(
    { name: 'team', models: ['*'], limits: { ...NO_LIMITS, requestsPerMinute: 10 }, metadata: {}, disabled: false },
    ADMIN,
  )
  const [one, two] = [await create('member1', { team: 'team' }), await create('member2', { team: 'team' })]
  for (const secrets of [[own], [one, two]]) {
    const startedMs = performance.now()
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, i) => ask(gateway, secrets[i % secrets.length] ?? '')),
    )
    const refilled = Math.floor(((performance.now() - startedMs) / 60_000) * 10)
    const admitted = answers.filter(({ status }) => status === 200).length
    t.ok(admitted >= 10 && admitted <= 10 + refilled, `${admitted} admitted, ${refilled} refilled`)
    t.equal(answers.filter(({ status }) => status === 429).length, 40 - admitted)
    if (secrets.length > 1) t.match(answers.find(({ status }) => status === 429)?.text, /for the team of this key/)
    else t.equal(answers[0]?.headers['x-ratelimit-limit-requests'], '10')
  }
})

test('a rotated secret is valid as long as it was said, and it is one key', async (t) => {
  const old = await create('rotated', { limits: { ...NO_LIMITS, requestsPerMinute: 2 } })
  const { secret } = await store.rotateKey('rotated', { overlapMs: 60_000 }, ANY)
  t.equal((await ask(gateway, old)).status, 200)
  t.equal((await ask(gateway, secret)).status, 200)
  t.equal((await ask(gateway, secret)).status, 429, 'of one bucket')
  const latest = await store.rotateKey('rotated', { overlapMs: 0 }, ANY)
  for (const former of [old, secret]) t.same(await statusesOf(gateway, former), all(401))
  t.same(await statusesOf(gateway, latest.secret), all(200))
})

test('what runs ends when its key is disabled, and its sockets are closed, on both loops', async (t) => {
  const secret = await create('disabled')
  const other = await create('other')
  const streams = await Promise.all(Array.from({ length: 4 }, () => startStream(secret)))
  const spared = await startStream(other)
  const sockets = Array.from({ length: 4 }, () => {
    const headers = { authorization: `Bearer ${secret}` }
    return new WebSocket(`${gateway.origin.replace('http', 'ws')}/v1/ws`, ['sluice.v1'], { headers })
  })
  await Promise.all(sockets.map((socket) => once(socket, 'open')))
  const closed = Promise.all(sockets.map((socket) => once(socket, 'close')))
  await store.updateKey('disabled', { disabled: true }, ANY)
  for (const { text } of streams) {
    t.match(await text, /has been removed/)
    t.notMatch(await text, /\[DONE\]/)
  }
  t.same(
    (await closed).map(([code]) => code),
    [4401, 4401, 4401, 4401],
  )
  t.same(await statusesOf(gateway, secret), all(401))
  t.match(await gateway.logLine(({ error }) => JSON.stringify(error ?? '').includes('key disabled is disabled')), {
    outcome: 'rejected',
  })
  t.match(await spared.text, /\[DONE\]/)
  await store.updateKey('disabled', { disabled: false }, ANY)
  t.same(await statusesOf(gateway, secret), all(200))
})

test('a key that has the name of a deleted one inherits nothing of it', async (t) => {
  const limits = { ...NO_LIMITS, requestsPerMinute: 3 }
  const former = await create('reborn', { limits })
  const stream = await startStream(former)
  t.match(await stream.text, /\[DONE\]/)
  const job = await ask(gateway, former, { headers: { prefer: 'respond-async', 'idempotency-key': 'k' } })
  t.equal(job.status, 202)
  const path = `/v1/chat/completions/${(JSON.parse(job.text) as { request_id: string }).request_id}`
  t.equal((await ask(gateway, former, { path, method: 'GET' })).status, 200)
  t.equal((await ask(gateway, former, { path: `/v1/streams/${stream.id}` })).status, 200)
  t.equal((await ask(gateway, former)).status, 200)
  t.equal((await ask(gateway, former)).status, 429)
  await store.deleteKey('reborn', ANY)
  t.same(await statusesOf(gateway, former), all(401))
  const secret = await create('reborn', { limits })
  t.equal((await ask(gateway, secret, { path, method: 'GET' })).status, 404)
  t.match((await ask(gateway, secret, { path: '/v1/chat/completions', method: 'GET' })).text, '"data":[]')
  t.equal((await ask(gateway, secret, { path: `/v1/streams/${stream.id}` })).status, 404)
  const again = await ask(gateway, secret, { headers: { prefer: 'respond-async', 'idempotency-key': 'k' } })
  t.equal(again.status, 202)
  t.not((JSON.parse(again.text) as { request_id: string }).request_id, JSON.parse(job.text).request_id)
  t.equal((await ask(gateway, secret)).status, 200, 'its buckets are full')
  t.match(await ask(gateway, former), { status: 401 })
})

test('no secret of a key is in the log', (t) => {
  t.ok(gateway.lines.length > 10)
  t.notMatch(gateway.output.join('\n'), /sk-sluice-[0-9A-Za-z]{20}/)
  t.equal(gateway.complaints.replace(/^Sluice.*\n/gm, ''), '')
  t.end()
})
