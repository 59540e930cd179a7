// What every store of answers must hold, whatever keeps it: one suite, run over each of them.
import { type Test, test } from 'tap'
import { bytesOf, type IndexedResponse, type ResponseStore } from '../../src/responses/store.js'
import { rejectsWith } from './rejects.js'
import { CAPS, changeOf, runningResponse, storedResponse } from './responses.js'

export type ResponseStoreRig = {
  readonly store: ResponseStore
  /** Unix ms, as the store has it. */
  nowMs(): number
  /** Moves the store's clock forward. */
  moveBy(ms: number): void | Promise<void>
}

/** Opens an empty store; the test's end closes it. */
export type OpenResponseStore = (t: Test) => Promise<ResponseStoreRig>

const HOUR_MS = 3_600_000
/** JSON with two items; the text around them is of no interest to a store. */
const OUTPUT = '{"id":"r1","output":[{"id":"msg_1","n":"ż"},{"id":"fc_1"}]}'

function withItems(id: string, over: Partial<IndexedResponse> = {}): IndexedResponse {
  const response = Buffer.from(OUTPUT)
  const items = ['{"id":"msg_1","n":"ż"}', '{"id":"fc_1"}'].map((text) => {
    const start = response.indexOf(text)
    return { id: text.slice(7, text.indexOf('"', 7)), start, end: start + Buffer.byteLength(text) }
  })
  return storedResponse(id, { response, items, ...over })
}

function textOf(bytes: Uint8Array | null | undefined): string | null {
  return bytes == null ? null : Buffer.from(bytes).toString()
}

/** Runs the whole suite over one kind of store. */
export function responseStoreSuite(kind: string, open: OpenResponseStore): void {
  /** Answers of an hour, by the store's own clock. */
  async function setUp(t: Test) {
    const rig = await open(t)
    const { store } = rig
    const dated = (each: IndexedResponse): IndexedResponse => ({ ...each, expiresAtMs: rig.nowMs() + HOUR_MS })
    const put = async (each: IndexedResponse, caps = CAPS): Promise<void> => void (await store.put(dated(each), caps))
    const advance = async (each: IndexedResponse, caps = CAPS): Promise<boolean> =>
      await store.advance(changeOf(dated(each)), caps)
    const idsOf = async (owner: string, ids: readonly string[]): Promise<string[]> => {
      const found = await Promise.all(ids.map(async (id) => await store.get(owner, id)))
      return found.flatMap((each) => each?.id ?? [])
    }
    return { ...rig, put, advance, idsOf }
  }

  test(`${kind}: an answer is found as it was stored, by its owner alone, until it is deleted`, async (t) => {
    const { store, put } = await setUp(t)
    const input = Buffer.from('[{"content":"Zażółć \\u0000 \\"x\\""},\r\n 1.50]')
    await put(storedResponse('r1', { input, model: 'a/b', streamId: 'str_00x' }))
    const found = await store.get('a', 'r1')
    t.match(found, { id: 'r1', owner: 'a', model: 'a/b', phase: 'over', streamId: 'str_00x' })
    t.equal(textOf(found?.input), input.toString())
    t.equal(textOf(found?.response), '{"id":"r1"}')
    t.equal(await store.get('b', 'r1'), null)
    t.equal(await store.get('a', 'r2'), null)
    t.equal(await store.delete('b', 'r1'), false)
    t.equal(await store.delete('a', 'r1'), true)
    t.equal(await store.delete('a', 'r1'), false)
    t.equal(await store.get('a', 'r1'), null)
  })

  test(`${kind}: an answer goes on until it is over, with the input that it began with`, async (t) => {
    const { store, put, advance } = await setUp(t)
    const input = Buffer.from('[{"n":1}]')
    await put(storedResponse('r1', { phase: 'waiting', input }))
    t.match(await store.get('a', 'r1'), { phase: 'waiting', streamId: null })
    t.equal(await advance(runningResponse('r1', { streamId: 'str_00x' })), true)
    t.match(await store.get('a', 'r1'), { phase: 'running', streamId: 'str_00x' })
    t.equal(await advance(storedResponse('r1', { response: Buffer.from('{"n":2}'), model: 'other' })), true)
    const found = await store.get('a', 'r1')
    t.match(found, { phase: 'over', model: 'm', streamId: null })
    t.equal(textOf(found?.input), '[{"n":1}]')
    t.equal(textOf(found?.response), '{"n":2}')
  })

  test(`${kind}: an answer that is over, deleted, unknown or another owner's goes no further`, async (t) => {
    const { store, put, advance } = await setUp(t)
    await put(storedResponse('over', { response: Buffer.from('{"n":1}') }))
    await put(runningResponse('gone'))
    await put(runningResponse('theirs', { owner: 'b' }))
    await store.delete('a', 'gone')
    for (const id of ['over', 'gone', 'theirs', 'unknown']) t.equal(await advance(storedResponse(id)), false, id)
    t.equal(textOf((await store.get('a', 'over'))?.response), '{"n":1}')
    for (const id of ['gone', 'theirs', 'unknown']) t.equal(await store.get('a', id), null, id)
    t.match(await store.get('b', 'theirs'), { phase: 'running' })
  })

  test(`${kind}: of two ends the first counts`, async (t) => {
    const { store, put, advance } = await setUp(t)
    for (let i = 0; i < 10; i++) {
      await put(runningResponse(`r${i}`))
      const ends = ['{"n":1}', '{"n":2}'].map((text) => storedResponse(`r${i}`, { response: Buffer.from(text) }))
      t.same(await Promise.all(ends.map((end) => advance(end))), [true, false])
      t.equal(textOf((await store.get('a', `r${i}`))?.response), '{"n":1}')
    }
  })

  test(`${kind}: an answer that has expired is not found, and takes no room`, async (t) => {
    const { store, put, advance, idsOf, ...rig } = await setUp(t)
    const caps = { maxBytes: 2 * bytesOf(withItems('r1')), maxBytesPerKey: CAPS.maxBytes }
    await put(withItems('r1', { phase: 'running' }), caps)
    await rig.moveBy(HOUR_MS / 2)
    await put(storedResponse('r2'), caps)
    await rig.moveBy(HOUR_MS / 2)
    t.same(await idsOf('a', ['r1', 'r2']), ['r2'])
    t.equal(await store.delete('a', 'r1'), false)
    t.equal(await advance(storedResponse('r1')), false)
    t.same(await store.findItems('a', ['msg_1']), [null])
    await put(withItems('r3'), caps)
    t.same(await idsOf('a', ['r2', 'r3']), ['r2', 'r3'])
  })

  test(`${kind}: the oldest of an owner make room for its newest, to the byte`, async (t) => {
    const { store, put, idsOf } = await setUp(t)
    const size = bytesOf(storedResponse('r0'))
    const caps = { maxBytes: CAPS.maxBytes, maxBytesPerKey: 3 * size }
    const ids = ['r0', 'r1', 'r2', 'r3', 'r4']
    await put(storedResponse('r0', { owner: 'b' }), caps)
    for (const id of ids.slice(1, 4)) await put(storedResponse(id), caps)
    t.same(await idsOf('a', ids), ['r1', 'r2', 'r3'])
    await put(storedResponse('r4'), caps)
    t.same(await idsOf('a', ids), ['r2', 'r3', 'r4'])
    t.same(await idsOf('b', ids), ['r0'], 'not those of others')
    await store.delete('a', 'r3')
    await put(storedResponse('r1'), caps)
    t.same(await idsOf('a', ids), ['r1', 'r2', 'r4'], 'what is deleted takes no room')
    await put(storedResponse('r4', { input: Buffer.from('[ ]') }), caps)
    t.same(await idsOf('a', ids), ['r1', 'r4'], 'one byte too much')
  })

  test(`${kind}: the owner that has the most makes room for all`, async (t) => {
    const { put, idsOf } = await setUp(t)
    const size = bytesOf(storedResponse('r00'))
    const caps = { maxBytes: 20 * size, maxBytesPerKey: 12 * size }
    await put(storedResponse('mine'), caps)
    const ids = Array.from({ length: 60 }, (_, i) => `r${10 + i}`)
    for (const [i, id] of ids.entries()) await put(storedResponse(id, { owner: `o${i % 3}` }), caps)
    t.same(await idsOf('a', ['mine']), ['mine'])
    const held = await Promise.all([0, 1, 2].map((n) => idsOf(`o${n}`, ids)))
    t.same(held.flat().length, Math.floor((20 * size - bytesOf(storedResponse('mine'))) / size))
    t.ok(held[2]?.includes('r69'), 'the newest is held')
    const large = storedResponse('big', { owner: 'new', input: new Uint8Array(11 * size) })
    await put(large, caps)
    t.same(await idsOf('new', ['big']), ['big'], 'one that needs the room of many gets it')
    t.same(await idsOf('a', ['mine']), ['mine'])
  })

  test(`${kind}: an answer that alone exceeds a limit is refused, and nothing makes room for it`, async (t) => {
    const { store, put, advance, idsOf } = await setUp(t)
    const refusal = { message: /maxBytesPerKey/, data: { code: 'storage_full', retryable: false } }
    await put(storedResponse('r1'))
    await put(runningResponse('r2'))
    for (const caps of [
      { maxBytes: 1500, maxBytesPerKey: 100_000 },
      { maxBytes: 100_000, maxBytesPerKey: 1500 },
    ]) {
      const large = storedResponse('r3', { input: new Uint8Array(2000) })
      await rejectsWith(t, put(large, caps), refusal)
      const grown = storedResponse('r2', { response: new Uint8Array(2000) })
      await rejectsWith(t, advance(grown, caps), refusal)
    }
    t.same(await idsOf('a', ['r1', 'r2', 'r3']), ['r1', 'r2'])
    t.match(await store.get('a', 'r2'), { phase: 'running' })
  })

  test(`${kind}: an answer that grows makes others go, and not itself`, async (t) => {
    const { put, advance, idsOf } = await setUp(t)
    const size = bytesOf(storedResponse('r1'))
    const caps = { maxBytes: 10 * size, maxBytesPerKey: 4 * size }
    await put(runningResponse('r1'), caps)
    for (const id of ['r2', 'r3', 'r4']) await put(storedResponse(id), caps)
    t.equal(await advance(storedResponse('r1', { response: new Uint8Array(size) }), caps), true)
    t.same(await idsOf('a', ['r1', 'r2', 'r3', 'r4']), ['r1', 'r3', 'r4'])
    await put(storedResponse('r5'), caps)
    const left = await idsOf('a', ['r1', 'r3', 'r4', 'r5'])
    t.ok(left.includes('r5'))
    t.ok(left.length >= 2, 'its growth was counted once')
  })

  test(`${kind}: items are found by their ids, by their owner alone, while their answer is there`, async (t) => {
    const { store, put, advance } = await setUp(t)
    const ids = ['fc_1', 'none', 'msg_1']
    const texts = async (owner: string) => (await store.findItems(owner, ids)).map(textOf)
    const all = ['{"id":"fc_1"}', null, '{"id":"msg_1","n":"ż"}']
    await put(runningResponse('r1'))
    t.same(await texts('a'), [null, null, null])
    t.equal(await advance(withItems('r1')), true)
    t.same(await texts('a'), all)
    t.same(await texts('b'), [null, null, null])
    await put(withItems('r2'))
    await store.delete('a', 'r1')
    t.same(await texts('a'), all, 'the latest answer has them as well')
    await store.delete('a', 'r2')
    t.same(await texts('a'), [null, null, null])
    t.same(await store.findItems('a', []), [])
  })

  test(`${kind}: many at once are all stored`, async (t) => {
    const { put, idsOf } = await setUp(t)
    const ids = Array.from({ length: 200 }, (_, i) => `r${i}`)
    await Promise.all(ids.map((id) => put(storedResponse(id))))
    t.same(await idsOf('a', ids), ids)
  })
}

/** For stores that forget what has expired with each write, whatever was stored before it. */
export function sweepingSuite(kind: string, open: OpenResponseStore): void {
  test(`${kind}: an answer that has expired makes room before an older one that has not`, async (t) => {
    const { store, nowMs, moveBy } = await open(t)
    const caps = { maxBytes: 2 * bytesOf(storedResponse('r1')), maxBytesPerKey: CAPS.maxBytes }
    await store.put(storedResponse('r1', { expiresAtMs: nowMs() + HOUR_MS }), caps)
    await store.put(storedResponse('r2', { expiresAtMs: nowMs() + HOUR_MS / 2 }), caps)
    await moveBy(HOUR_MS / 2)
    await store.put(storedResponse('r3', { expiresAtMs: nowMs() + HOUR_MS }), caps)
    for (const id of ['r1', 'r3']) t.match(await store.get('a', id), { id })
  })
}
