// The routes of stored answers: their owner's alone. test/e2e/stored-responses.test.ts has them by the official client.
import { type Test, test } from 'tap'
import { openaiResponses } from '../../../src/protocols/openai-responses/index.js'
import { ResponseDesk } from '../../../src/responses/response-desk.js'
import { type ResponseStore } from '../../../src/responses/store.js'
import { type BackgroundJobs } from '../../../src/server/context.js'
import { startFront } from '../../helpers/front.js'
import {
  CAPS,
  changeOf,
  createDeadStore,
  createMemoryStore,
  runningResponse,
  storedResponse,
  TEXTS,
} from '../../helpers/responses.js'

const SURFACE = openaiResponses.surface

async function start(t: Test, store: ResponseStore | null, backgroundJobs: BackgroundJobs | null = null) {
  if (SURFACE === null) throw new Error('no surface')
  const warn = (): void => undefined
  const rules = { texts: TEXTS, retentionMs: 1000, caps: CAPS, onStoreDown: 'fail', nowMs: () => 0, warn } as const
  const desk = store === null ? null : new ResponseDesk({ store, ...rules })
  const responses = { ids: { create: () => 'x' }, desk }
  const { url, pipeline } = await startFront(t, { options: { surfaces: [SURFACE], responses, backgroundJobs } })
  const ask = async (path: string, method = 'GET') => {
    const answer = await fetch(`${url}/v1/responses/${path}`, { method, headers: { 'x-api-key': 'a' } })
    return { status: answer.status, text: await answer.text(), error: pipeline.rejections.at(-1)?.error.data }
  }
  return { ask }
}

/** The scripted pipeline knows a key by itself. */
const MINE = { owner: 'a' }
const INPUT = Buffer.from('[{"role":"user","content":"a"},{"role":"user","content":"b"}]')

test('an answer is given as it was stored, byte for byte, until it is deleted', async (t) => {
  const { store } = createMemoryStore()
  const { ask } = await start(t, store)
  const response = Buffer.from('{ "id":"resp_1", "n": 1.50 }')
  store.put(storedResponse('resp_1', { ...MINE, response }), CAPS)
  const got = await ask('resp_1')
  t.equal(got.status, 200)
  t.equal(got.text, response.toString())
  t.equal((await ask('resp_1', 'DELETE')).text, '{"id":"resp_1","object":"response","deleted":true}')
  for (const method of ['GET', 'DELETE']) t.match((await ask('resp_1', method)).error, { code: 'not_found' }, method)
})

test('an answer of another owner, an unknown one, and any without a store are not found alike', async (t) => {
  const { store } = createMemoryStore()
  store.put(storedResponse('resp_1', { owner: 'b' }), CAPS)
  for (const { ask } of [await start(t, store), await start(t, null)]) {
    for (const [path, method] of [
      ['resp_1', 'GET'],
      ['resp_1', 'DELETE'],
      ['resp_1/input_items', 'GET'],
    ] as const) {
      const { error } = await ask(path, method)
      t.match(error, { code: 'not_found', status: 404, message: "Response with id 'resp_1' not found." })
    }
  }
  t.match(store.get('b', 'resp_1'), { id: 'resp_1' })
})

test('items of the input come in pages; a wrong parameter is named', async (t) => {
  const { store } = createMemoryStore()
  const { ask } = await start(t, store)
  store.put(storedResponse('resp_1', { ...MINE, input: INPUT }), CAPS)
  const page = JSON.parse((await ask('resp_1/input_items?limit=1')).text)
  t.match(page, { data: [{ content: [{ text: 'b' }] }], has_more: true })
  const rest = JSON.parse((await ask(`resp_1/input_items?after=${page.last_id}`)).text)
  t.match(rest, { data: [{ content: [{ text: 'a' }] }], has_more: false })
  const first = JSON.parse((await ask('resp_1/input_items?order=asc&limit=1')).text)
  t.match(first.data, [{ content: [{ text: 'a' }] }])
  for (const [query, param] of [
    ['limit=0', 'limit'],
    ['limit=101', 'limit'],
    ['limit=x', 'limit'],
    ['order=up', 'order'],
    ['after=item_none', 'after'],
  ] as const) {
    t.match((await ask(`resp_1/input_items?${query}`)).error, { code: 'invalid_request', param }, query)
  }
})

test('a store that fails is no answer that is missing', async (t) => {
  const { ask } = await start(t, createDeadStore())
  for (const method of ['GET', 'DELETE']) t.match((await ask('resp_1', method)).error, { code: 'storage_unavailable' })
})

test('only what runs in the background is cancelled, wherever it runs; what has ended stays as it is', async (t) => {
  const { store } = createMemoryStore()
  const { ask } = await start(t, store)
  const put = (id: string, response: { status: string; background: boolean }): void => {
    const phase = response.status === 'completed' ? 'over' : 'running'
    store.put(storedResponse(id, { ...MINE, phase, response: Buffer.from(JSON.stringify({ id, ...response })) }), CAPS)
  }
  put('resp_1', { status: 'in_progress', background: false })
  put('resp_2', { status: 'completed', background: true })
  put('resp_3', { status: 'in_progress', background: true })
  t.match((await ask('resp_1/cancel', 'POST')).error, { code: 'invalid_request', message: /background: true/ })
  t.match(JSON.parse((await ask('resp_2/cancel', 'POST')).text), { status: 'completed' })
  t.match(JSON.parse((await ask('resp_3/cancel', 'POST')).text), { id: 'resp_3', status: 'cancelled' })
  t.match(JSON.parse((await ask('resp_3')).text), { status: 'cancelled' })
  t.match((await ask('resp_4/cancel', 'POST')).error, { code: 'not_found' })
})

test('an answer that ends while it is being cancelled stays as it ended, and its cancel says so', async (t) => {
  const { store } = createMemoryStore()
  const running = storedResponse('resp_1', {
    ...{ ...MINE, phase: 'running', response: Buffer.from('{"id":"resp_1","status":"in_progress","background":true}') },
  })
  const ended = { ...running, phase: 'over', response: Buffer.from('{"id":"resp_1","status":"completed"}') } as const
  store.put(running, CAPS)
  let isRead = false
  const racing: ResponseStore = {
    put: (...args) => store.put(...args),
    advance: (...args) => store.advance(...args),
    get(owner, id) {
      const found = store.get(owner, id)
      if (!isRead) store.advance(changeOf(ended), CAPS)
      isRead = true
      return found
    },
    delete: (...args) => store.delete(...args),
    findItems: (...args) => store.findItems(...args),
    close: () => store.close(),
  }
  const { ask } = await start(t, racing)
  t.match(JSON.parse((await ask('resp_1/cancel', 'POST')).text), { status: 'completed' })
  t.match(JSON.parse((await ask('resp_1')).text), { status: 'completed' })
})

test('events that were never kept are gone; a wrong number is named', async (t) => {
  const { store } = createMemoryStore()
  const { ask } = await start(t, store)
  store.put(storedResponse('resp_1', MINE), CAPS)
  store.put(storedResponse('resp_2', { ...MINE, streamId: 'str_00gone' }), CAPS)
  for (const id of ['resp_1', 'resp_2']) {
    t.match((await ask(`${id}?stream=true`)).error, { code: 'stream_gone', status: 410 })
    t.equal((await ask(`${id}?stream=false`)).status, 200)
  }
  t.match((await ask('resp_1?stream=true&starting_after=x')).error, { param: 'starting_after' })
})

test('one that is a job is stopped where it runs: cancelled or deleted, but not when it has ended', async (t) => {
  const removed: string[] = []
  const jobs: BackgroundJobs = {
    accept: async () => ({ kind: 'mismatch' }),
    async remove(id) {
      removed.push(id)
      // The answer is over all the same.
      throw new Error('away')
    },
  }
  const { store } = createMemoryStore()
  const { ask } = await start(t, store, jobs)
  const response = Buffer.from('{"status":"in_progress","background":true}')
  for (const id of ['resp_1', 'resp_2']) store.put(runningResponse(id, { ...MINE, phase: 'waiting', response }), CAPS)
  store.put(storedResponse('resp_3', MINE), CAPS)
  t.match(JSON.parse((await ask('resp_1/cancel', 'POST')).text), { status: 'cancelled' })
  t.match(JSON.parse((await ask('resp_1/cancel', 'POST')).text), { status: 'cancelled' })
  t.equal((await ask('resp_2', 'DELETE')).status, 200)
  t.equal((await ask('resp_3', 'DELETE')).status, 200)
  t.same(removed, ['resp_1', 'resp_2'])
})
