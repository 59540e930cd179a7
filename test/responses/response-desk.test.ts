import { test } from 'tap'
import { COMMIT_MS, type DeskOptions, type NewResponse, ResponseDesk } from '../../src/responses/response-desk.js'
import { type ResponseStore } from '../../src/responses/store.js'
import { CAPS, createDeadStore, createMemoryStore, createSlowStore } from '../helpers/responses.js'

const NEW: NewResponse = {
  ...{ id: 'r1', owner: 'a', model: 'm', streamId: null },
  input: Buffer.from('[]'),
  response: Buffer.from('{}'),
}

function setUp(store: ResponseStore, over: Partial<DeskOptions> = {}) {
  const warnings: object[] = []
  const desk = new ResponseDesk({
    ...{ store, retentionMs: 500, caps: CAPS, onStoreDown: 'fail', nowMs: () => 100 },
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

test('no client waits longer than a second for a store, and what it says later changes nothing', async (t) => {
  t.equal(COMMIT_MS, 1000)
  const { store, waiting } = createSlowStore(createDeadStore())
  const { desk, warnings } = setUp(store)
  t.match(await desk.commit(NEW), { data: { code: 'storage_unavailable', message: /1000 ms/ } })
  waiting.splice(0).forEach((go) => void go())
  await new Promise((resolve) => setImmediate(resolve))
  t.equal(warnings.length, 1)
})
