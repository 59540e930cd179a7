import { test } from 'tap'
import { COMMIT_MS, type DeskOptions, type NewResponse, ResponseDesk } from '../../src/responses/response-desk.js'
import { type ResponseStore } from '../../src/responses/store.js'
import { rejectsWith } from '../helpers/rejects.js'
import {
  CAPS,
  createDeadStore,
  createMemoryStore,
  createSlowStore,
  storedResponse,
  TEXTS,
} from '../helpers/responses.js'

const NEW: NewResponse = {
  ...{ id: 'r1', owner: 'a', model: 'm', phase: 'over', streamId: null },
  input: Buffer.from('[]'),
  response: Buffer.from('{}'),
}

function setUp(store: ResponseStore, over: Partial<DeskOptions> = {}) {
  const warnings: object[] = []
  const desk = new ResponseDesk({
    ...{ store, texts: TEXTS, retentionMs: 500, caps: CAPS, onStoreDown: 'fail', nowMs: () => 100 },
    warn: (fields, message) => warnings.push({ ...fields, message }),
    ...over,
  })
  return { desk, warnings }
}

test('a commit to memory is done at once, and dated', async (t) => {
  const { store } = createMemoryStore()
  const { desk } = setUp(store)
  t.equal(desk.commit(NEW), null)
  t.match(desk.get('a', 'r1'), { id: 'r1', expiresAtMs: 600 })
  t.equal(desk.get('b', 'r1'), null)
  t.equal(desk.delete('a', 'r1'), true)
})

test('a commit waits for its store', async (t) => {
  const { store, release, waiting } = createSlowStore(createMemoryStore().store)
  const { desk, warnings } = setUp(store)
  const committing = desk.commit(NEW)
  t.type(committing, Promise)
  t.equal(waiting.length, 1)
  t.equal(await desk.get('a', 'r1'), null)
  release()
  t.equal(await committing, null)
  t.match(await desk.get('a', 'r1'), { id: 'r1' })
  t.same(warnings, [])
})

test('a store that fails is an error, or a line in the log alone', async (t) => {
  for (const onStoreDown of ['fail', 'forward'] as const) {
    const { desk, warnings } = setUp(createDeadStore(), { onStoreDown })
    const error = await desk.commit(NEW)
    if (onStoreDown === 'fail') t.match(error, { data: { code: 'storage_unavailable' } })
    else t.equal(error, null)
    t.match(warnings, [{ response: 'r1', code: 'storage_unavailable', onStoreDown, message: 'response not stored' }])
  }
})

test('a store that throws at once is treated alike', async (t) => {
  const { store } = createMemoryStore()
  const { desk, warnings } = setUp(store, { caps: { maxBytes: 1, maxBytesPerKey: 1 } })
  t.match(await desk.commit(NEW), { data: { code: 'storage_full' } })
  t.equal(warnings.length, 1)
})

test('the next state of an answer is stored until it is over, and then no more', async (t) => {
  const { store } = createMemoryStore()
  const { desk, warnings } = setUp(store)
  const { input: _, model: __, ...next } = NEW
  await desk.commit({ ...NEW, phase: 'running' })
  t.same(store.get('a', 'r1')?.items, [])
  const response = Buffer.from('{"output":[{"id":"msg_1"}]}')
  t.equal(desk.advance({ ...next, response }), true)
  t.match(store.get('a', 'r1'), { phase: 'over', expiresAtMs: 600, items: [{ id: 'msg_1', start: 11, end: 25 }] })
  t.equal(desk.advance(next), false)
  t.same(
    (await desk.findItems('a', ['msg_1', 'x'])).map((text) => text && String(Buffer.from(text))),
    ['{"id":"msg_1"}', null],
  )
  t.same(warnings, [])
  const slow = setUp(createSlowStore(store).store)
  t.match(await slow.desk.advance(next), { data: { code: 'storage_unavailable' } })
  t.match(await setUp(createDeadStore(), { onStoreDown: 'forward' }).desk.advance(next), null)
  const small = setUp(store, { caps: { maxBytes: 1, maxBytesPerKey: 1 } }).desk
  await desk.commit({ ...NEW, id: 'r2', phase: 'running' })
  t.match(await small.advance({ ...next, id: 'r2' }), { data: { code: 'storage_full' } })
})

test('an answer whose process is dead is found as one that failed', async (t) => {
  const { store } = createMemoryStore()
  const lost = storedResponse('r1', { phase: 'lost', response: Buffer.from('{"id":"r1","status":"in_progress"}') })
  for (const get of [() => lost, async () => lost]) {
    const { desk } = setUp({ ...createSlowStore(store).store, get })
    const found = await desk.get('a', 'r1')
    t.equal(found?.phase, 'over')
    t.match(JSON.parse(String(Buffer.from(found?.response ?? []))), {
      id: 'r1',
      status: 'failed',
      error: { code: 'upstream_cut' },
    })
  }
})

test('nothing waits longer than a second for a store', async (t) => {
  const never = (): Promise<never> => new Promise(() => undefined)
  const { desk } = setUp({ ...createDeadStore(), get: never, delete: never, findItems: never })
  const refusal = { data: { code: 'storage_unavailable', message: /1000 ms/ } }
  const calls = [desk.get('a', 'r1'), desk.delete('a', 'r1'), desk.findItems('a', ['x'])]
  for (const call of calls) await rejectsWith(t, Promise.resolve(call), refusal)
})

test('no client waits longer than a second for a store, and what it says later changes nothing', async (t) => {
  t.equal(COMMIT_MS, 1000)
  const { store, waiting } = createSlowStore(createDeadStore())
  const { desk, warnings } = setUp(store)
  t.match(await desk.commit(NEW), { data: { code: 'storage_unavailable', message: /1000 ms/ } })
  waiting.splice(0).forEach((go) => void go())
  await new Promise((resolve) => setImmediate(resolve))
  t.equal(warnings.length, 1)
})
