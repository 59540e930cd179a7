// test/e2e/background-responses.test.ts has the whole way, by the official client.
import { type Test, test } from 'tap'
import { GatewayError } from '../../../src/errors.js'
import { type Acceptance, type JobCaps, type JobHead, type NewJob } from '../../../src/jobs/store.js'
import { createCodec } from '../../../src/protocols/contract/codec.js'
import { type DecodedBody } from '../../../src/protocols/contract/envelope.js'
import { PROTOCOLS } from '../../../src/protocols/index.js'
import { openaiResponses } from '../../../src/protocols/openai-responses/index.js'
import { ResponseDesk } from '../../../src/responses/response-desk.js'
import { type ResponseStore } from '../../../src/responses/store.js'
import { unixSec } from '../../../src/server/background/accept-background.js'
import { type BackgroundJobs } from '../../../src/server/context.js'
import { closedJobDoor, startFront } from '../../helpers/front.js'
import { CAPS, createDeadStore, createMemoryStore, TEXTS } from '../../helpers/responses.js'

const codec = createCodec(PROTOCOLS)
const SURFACES = PROTOCOLS.flatMap(({ surface }) => surface ?? [])
const SURFACE = openaiResponses.surface
const BODY = { model: 'm', input: 'Hi', background: true }

type Room = { readonly grow: (bytes: number) => GatewayError | null; readonly release: () => void }
const ROOM: Room = { grow: () => null, release: () => undefined }

async function start(
  t: Test,
  store: ResponseStore | null = createMemoryStore().store,
  room = ROOM,
  backgroundJobs: BackgroundJobs | null = null,
) {
  if (SURFACE === null) throw new Error('no surface')
  const warn = (): void => undefined
  const rules = { texts: TEXTS, retentionMs: 1000, caps: CAPS, onStoreDown: 'fail', nowMs: () => 0, warn } as const
  const desk = store === null ? null : new ResponseDesk({ store, ...rules })
  let serial = 0
  const decode = (surfaceId: string, body: Uint8Array<ArrayBuffer>): DecodedBody => ({
    ...codec.decodeBody(surfaceId, body),
    body,
  })
  const { url, pipeline } = await startFront(t, {
    options: {
      surfaces: [SURFACE],
      jobDoor: { ...closedJobDoor(SURFACES), decode },
      reserve: () => room,
      responses: { ids: { create: () => `u${++serial}` }, desk },
      backgroundCaps: { concurrency: 1, maxPending: 1, maxPendingPerKey: 1 },
      backgroundJobs,
    },
  })
  const post = async (body: object, headers: Record<string, string> = {}) => {
    const init = { method: 'POST', headers: { 'content-type': 'application/json', 'x-api-key': 'a', ...headers } }
    const answer = await fetch(`${url}/v1/responses`, { ...init, body: JSON.stringify(body) })
    return { status: answer.status, text: await answer.text(), error: pipeline.rejections.at(-1)?.error.data }
  }
  const requests = () => pipeline.exchanges.map(({ request }) => request)
  return { post, requests, store }
}

test('a request is stored, answered and started with the id that its client has', async (t) => {
  const { post, requests, store } = await start(t)
  const { status, text } = await post(BODY)
  t.equal(status, 200)
  t.match(JSON.parse(text), { id: 'resp_u1', status: 'queued', background: true, store: true })
  t.ok(await store?.get('a', 'resp_u1'))
  for (let i = 0; i < 100 && requests().length === 0; i++) await new Promise((resolve) => setImmediate(resolve))
  const [started] = requests()
  t.match(started, { isCounted: true, own: { members: { id: 'resp_u1' } } })
  t.equal(
    Buffer.from(started?.body ?? []).toString(),
    '{"model":"m","input":[{"type":"message","role":"user","content":"Hi"}]}',
  )
})

test('what is refused is neither stored nor started', async (t) => {
  const { post, requests } = await start(t)
  for (const [body, headers, wanted] of [
    [{ ...BODY, store: false }, {}, { param: 'background' }],
    [{ ...BODY, previous_response_id: 'resp_9' }, {}, { ownCode: 'previous_response_not_found' }],
    [{ ...BODY, stream: true }, {}, { param: 'background', message: /streams\.resume/ }],
    [BODY, { 'idempotency-key': 'k' }, { param: 'Idempotency-Key' }],
  ] as const) {
    t.match((await post(body, headers)).error, { code: 'invalid_request', ...wanted })
  }
  const off = await start(t, null)
  t.match((await off.post(BODY)).error, { param: 'background', message: /responses\.store/ })
  const dead = await start(t, createDeadStore())
  t.match((await dead.post(BODY)).error, { code: 'storage_unavailable' })
  t.match((await dead.post(BODY)).error, { code: 'storage_unavailable' }, 'it takes no place')
  for (const asked of [requests, off.requests, dead.requests]) t.equal(asked().length, 0)
})

test('the word in a text, or without effect, is no request for it', async (t) => {
  const { post, requests } = await start(t)
  for (const body of [
    { model: 'm', input: 'say "background": true' },
    { model: 'm', input: 'x', background: false },
    { model: 'm', input: 'x', metadata: { background: true } },
  ]) {
    await post(body)
  }
  t.equal(requests().length, 3)
  for (const { own } of requests()) t.notOk(own)
})

test('answers are dated in whole seconds', (t) => {
  t.ok(Number.isInteger(unixSec()))
  t.ok(unixSec() > 1_700_000_000)
  t.end()
})

test('what waits has a place in memory for its request; without one it is refused, and takes none', async (t) => {
  const grown: number[] = []
  let released = 0
  const { store } = createMemoryStore()
  const { post, requests } = await start(t, store, {
    grow(bytes) {
      grown.push(bytes)
      // The body that arrives grows by its own length, 44.
      return bytes > 100 ? new GatewayError('rate_limited', { message: 'No room.' }) : null
    },
    release: () => void released++,
  })
  for (let i = 0; i < 2; i++) {
    t.match((await post(BODY)).error, { code: 'rate_limited', message: 'No room.' })
    t.equal(grown.at(-1), 120, 'as it is sent, and as it is stored')
  }
  t.ok(released >= 2)
  t.equal(requests().length, 0)
  t.equal(store.size, 0)
})

/** A job store that takes what the test says. */
function createJobs(acceptance: Acceptance | GatewayError) {
  const jobs: NewJob[] = []
  const caps: (JobCaps | undefined)[] = []
  const store: BackgroundJobs = {
    async accept(job, given) {
      jobs.push(job)
      caps.push(given)
      if (acceptance instanceof GatewayError) throw acceptance
      return acceptance
    },
    remove: async () => false,
  }
  return { store, jobs, caps }
}

const ACCEPTED = { kind: 'accepted', job: {} as JobHead, queuePosition: 1, activeRequests: 0 } as const

test('where answers survive the process, it is a job before its client has its id', async (t) => {
  const { store, jobs, caps } = createJobs(ACCEPTED)
  const answers = createMemoryStore().store
  const { post, requests } = await start(t, answers, ROOM, store)
  const { status, text } = await post(BODY, { 'x-parameter': 'p' })
  t.equal(status, 200)
  t.match(JSON.parse(text), { id: 'resp_u1', status: 'queued' })
  t.match(await answers.get('a', 'resp_u1'), { phase: 'waiting' })
  const request = '{"model":"m","input":[{"type":"message","role":"user","content":"Hi"}]}'
  t.match(jobs, [{ id: 'resp_u1', kind: 'response', owner: 'a', request, webhookUrl: null, idempotency: null }])
  t.match(jobs[0]?.context, {
    members: { id: 'resp_u1', background: true },
    isStream: false,
    parameterHeaders: { 'x-parameter': 'p' },
  })
  t.notMatch(JSON.stringify(jobs), /api-key|authorization/i)
  t.match(caps, [{ perKey: 1, all: 1, stored: {} }])
  t.equal(requests().length, 0, 'its runner runs it')
})

test('a job that is refused leaves no answer behind, and the client knows whose limit it is', async (t) => {
  const away = new GatewayError('overloaded', { message: 'The job store is unreachable.' })
  for (const [acceptance, wanted] of [
    [
      { kind: 'full', scope: 'key' },
      { code: 'rate_limited', message: /maxPendingPerKey/ },
    ],
    [
      { kind: 'full', scope: 'all' },
      { code: 'overloaded', message: /background\.maxPending\)/ },
    ],
    [
      { kind: 'no-room', scope: 'key' },
      { code: 'rate_limited', message: /maxStoredBytesPerKey/ },
    ],
    [
      { kind: 'no-room', scope: 'all' },
      { code: 'storage_full', message: /maxStoredBytes\)/ },
    ],
    [{ kind: 'mismatch' }, { code: 'internal' }],
    [away, { code: 'overloaded', message: /unreachable/ }],
  ] as const) {
    const answers = createMemoryStore().store
    const { post } = await start(t, answers, ROOM, createJobs(acceptance).store)
    t.match((await post(BODY)).error, wanted)
    t.equal(answers.size, 0)
  }
  const { store, jobs } = createJobs(ACCEPTED)
  t.match((await (await start(t, createDeadStore(), ROOM, store)).post(BODY)).error, { code: 'storage_unavailable' })
  t.same(jobs, [])
})
