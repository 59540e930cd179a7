import { test } from 'tap'
import { errorData } from '../../../src/errors.js'
import { type ResponseShelf } from '../../../src/pipeline/client.js'
import { type ExchangeIn } from '../../../src/pipeline/exchange.js'
import { recall } from '../../../src/pipeline/stages/recall.js'
import { createCodec } from '../../../src/protocols/contract/codec.js'
import { type DecodedBody } from '../../../src/protocols/contract/envelope.js'
import { PROTOCOLS } from '../../../src/protocols/index.js'
import { openaiResponses } from '../../../src/protocols/openai-responses/index.js'
import { ResponseDesk } from '../../../src/responses/response-desk.js'
import { type ResponseStore, type StoredResponse } from '../../../src/responses/store.js'
import {
  CAPS,
  createDeadStore,
  createMemoryStore,
  createSlowStore,
  storedResponse,
  TEXTS,
} from '../../helpers/responses.js'

const codec = createCodec(PROTOCOLS)
const SURFACE = openaiResponses.surface?.id ?? ''

function decodeText(text: string): DecodedBody {
  const body = new Uint8Array(Buffer.from(text))
  return { ...codec.decodeBody(SURFACE, body), body }
}

type SetUp = {
  readonly store?: ResponseStore | null
  readonly shelf?: ResponseShelf
  readonly counts?: boolean
  readonly surface?: unknown
  readonly maxBodyBytes?: number
  readonly inWorker?: boolean
}

function setUp({
  store = createMemoryStore().store,
  shelf,
  counts,
  surface,
  maxBodyBytes = 1000,
  inWorker,
}: SetUp = {}) {
  let serial = 0
  const desk =
    store === null
      ? null
      : new ResponseDesk({
          ...{ store, texts: TEXTS, retentionMs: 1000, caps: CAPS, onStoreDown: 'fail', nowMs: () => 0 },
          warn: () => undefined,
        })
  const skim = (surfaceId: string, body: Uint8Array<ArrayBuffer>): DecodedBody | Promise<DecodedBody> => {
    const decoded = { ...codec.decodeBody(surfaceId, body), body }
    return inWorker === true ? Promise.resolve(decoded) : decoded
  }
  const exchange = {
    request: {
      surface: surface === undefined ? openaiResponses.surface : surface,
      key: { index: 0, name: 'k', owner: 'a' },
      path: counts === true ? { counts } : null,
      shelf: shelf ?? null,
    },
    context: {
      responses: { ids: { create: () => `u${++serial}` }, desk },
      offload: { skim },
      config: { server: { maxBodyBytes } },
      clock: { unixSec: () => 7 },
    },
    decoded: { facts: { model: 'm' } },
    sink: { keptId: 'str_1' },
    own: null,
  }
  return { exchange: exchange as unknown as ExchangeIn<'recall'>, store }
}

const PLAIN = '{"model":"m","input":"Hi"}'
const NEXT = '{"model":"m","input":"Hi","previous_response_id":"resp_1"}'
const EARLIER = storedResponse('resp_1', {
  input: Buffer.from('[{"role":"user","content":"One"}]'),
  response: Buffer.from('{"id":"resp_1","output":[{"type":"message","role":"assistant","content":"Uno"}]}'),
})

test('a surface without stored answers is left alone', (t) => {
  const { exchange } = setUp({ surface: { id: 'other' } })
  const decoded = decodeText(PLAIN)
  t.equal(recall(exchange, decoded), decoded)
  const decoding = Promise.resolve(decoded)
  t.equal(recall(exchange, decoding), decoding)
  t.equal(exchange.own, null)
  t.end()
})

test('a request that is not stored costs an id, and nothing else', async (t) => {
  for (const text of ['{"model":"m","input":"Hi","store":false}', PLAIN]) {
    const { exchange } = setUp({ store: text === PLAIN ? null : createMemoryStore().store })
    const decoded = decodeText(text)
    t.equal(recall(exchange, decoded), decoded)
    t.match(exchange.own, { members: { id: 'resp_u1', store: false }, keep: null, isPrivate: false })
  }
})

test('an answer is stored with the whole input, by its owner, with the id of its kept stream', async (t) => {
  const { exchange, store } = setUp()
  const decoded = decodeText(PLAIN)
  t.equal(await recall(exchange, Promise.resolve(decoded)), decoded, 'the body passes as it came')
  t.equal(await exchange.own?.keep?.(Buffer.from('{"id":"resp_u1"}')), null)
  const found = await store?.get('a', 'resp_u1')
  t.match(found, { owner: 'a', model: 'm', streamId: 'str_1', expiresAtMs: 1000 })
  t.equal(Buffer.from(found?.input ?? []).toString(), '[{"type":"message","role":"user","content":"Hi"}]')
})

test('a request that continues an answer has its turns, wherever it is decoded again', async (t) => {
  for (const inWorker of [false, true]) {
    const { store } = createMemoryStore()
    store.put(EARLIER, CAPS)
    const slow = createSlowStore(store)
    const { exchange } = setUp({
      store: inWorker ? { ...slow.store, get: async (o, id) => store.get(o, id) } : store,
      inWorker,
    })
    const decoded = await recall(exchange, decodeText(NEXT))
    t.equal(
      Buffer.from(decoded.body).toString(),
      '{"model":"m","input":[{"role":"user","content":"One"},{"type":"message","role":"assistant","content":"Uno"},{"type":"message","role":"user","content":"Hi"}]}',
    )
    t.match(decoded.facts, { model: 'm', state: { previousId: 'resp_1', isStored: true } })
    t.match(exchange.own, { members: { id: 'resp_u1', store: true, previous_response_id: 'resp_1' }, isPrivate: true })
    t.ok(decoded.estimatedTokens > decodeText(NEXT).estimatedTokens - 20)
  }
})

test('an answer that is not the owner’s is not found; a store that fails says so', async (t) => {
  const { store } = createMemoryStore()
  store.put({ ...EARLIER, owner: 'b' }, CAPS)
  for (const given of [store, null]) {
    t.throws(() => recall(setUp({ store: given }).exchange, decodeText(NEXT)), { message: /'resp_1' not found/ })
  }
  const { exchange } = setUp({ store: createDeadStore() })
  await t.rejects(Promise.resolve(recall(exchange, decodeText(NEXT))), { message: /unavailable/ })
})

test('a conversation that has grown beyond the largest body is refused', (t) => {
  const { store } = createMemoryStore()
  store.put(EARLIER, CAPS)
  t.throws(() => recall(setUp({ store, maxBodyBytes: 60 }).exchange, decodeText(NEXT)), { message: /60 bytes/ })
  t.end()
})

test('a request that is only counted is continued, and not stored', async (t) => {
  const { store } = createMemoryStore()
  store.put(EARLIER, CAPS)
  const { exchange } = setUp({ store, counts: true })
  const { body } = await recall(exchange, decodeText(NEXT))
  t.match(Buffer.from(body).toString(), /One/)
  t.equal(exchange.own?.keep, null)
  const fresh = setUp({ store, counts: true })
  recall(fresh.exchange, decodeText(PLAIN))
  t.equal(fresh.exchange.own?.keep, null)
})

test('a connection has answers of its own: they are found first, and hold what no store gets', async (t) => {
  const held = new Map<string, StoredResponse>([['resp_1', EARLIER]])
  const shelf: ResponseShelf = {
    get: (id) => held.get(id) ?? null,
    put: (response) => void held.set(response.id, response),
  }
  const { exchange, store } = setUp({ shelf, store: createMemoryStore().store })
  const request = '{"model":"m","input":"Hi","previous_response_id":"resp_1","store":false}'
  const { body } = await recall(exchange, decodeText(request))
  t.match(Buffer.from(body).toString(), /Uno/)
  t.equal(await exchange.own?.keep?.(Buffer.from('{}')), null)
  t.match(held.get('resp_u1'), { owner: 'a', expiresAtMs: Number.POSITIVE_INFINITY })
  t.equal(await store?.get('a', 'resp_u1'), null)
  const stored = setUp({ shelf, store: createMemoryStore().store })
  await recall(stored.exchange, decodeText(NEXT))
  await stored.exchange.own?.keep?.(Buffer.from('{}'))
  t.match(await stored.store?.get('a', 'resp_u1'), { id: 'resp_u1' }, 'a stored answer goes to the store alone')
})

test('an answer whose stream is kept is found while it runs, and as failed where it fails', async (t) => {
  const request = '{"model":"m","input":"Hi","stream":true,"metadata":{"team":"a"}}'
  const { exchange, store } = setUp()
  await recall(exchange, decodeText(request))
  const show = async (): Promise<unknown> => {
    const found = await store?.get('a', 'resp_u1')
    return found == null ? null : { ...JSON.parse(Buffer.from(found.response).toString()), streamId: found.streamId }
  }
  exchange.own?.began?.(null)
  exchange.own?.settled?.(errorData('upstream_cut'))
  t.equal(await show(), null, 'a stream that is not kept is of no use to anyone later')
  exchange.own?.began?.('str_1')
  t.match(await show(), {
    ...{ id: 'resp_u1', status: 'in_progress', created_at: 7, model: 'm', metadata: { team: 'a' }, streamId: 'str_1' },
  })
  exchange.own?.settled?.(null)
  t.match(await show(), { status: 'in_progress' }, 'a complete answer was stored before its end')
  exchange.own?.settled?.(errorData('upstream_cut'))
  await new Promise((resolve) => setImmediate(resolve))
  t.match(await show(), { status: 'failed', error: { message: /ended the connection/ } })
})

test('an answer that its client deletes while it runs does not come back', async (t) => {
  for (const isComplete of [true, false]) {
    const { exchange, store } = setUp()
    await recall(exchange, decodeText('{"model":"m","input":"Hi","stream":true}'))
    exchange.own?.began?.('str_1')
    t.equal(await store?.delete('a', 'resp_u1'), true)
    if (isComplete) t.equal(await exchange.own?.keep?.(Buffer.from('{}')), null)
    exchange.own?.settled?.(isComplete ? null : errorData('upstream_cut'))
    await new Promise((resolve) => setImmediate(resolve))
    t.equal(await store?.get('a', 'resp_u1'), null)
  }
  const { exchange, store } = setUp()
  await recall(exchange, decodeText('{"model":"m","input":"Hi","stream":true}'))
  exchange.own?.began?.('str_1')
  t.equal(await exchange.own?.keep?.(Buffer.from('{"id":"resp_u1"}')), null)
  t.match(await store?.get('a', 'resp_u1'), { id: 'resp_u1' })
})

test('an answer that could not be stored as it began is stored as it ends', async (t) => {
  const { store: memory } = createMemoryStore()
  let isUp = false
  const store: ResponseStore = {
    ...createSlowStore(memory).store,
    put: (response, caps) => (isUp ? memory.put(response, caps) : createDeadStore().put(response, caps)),
    advance: (change, caps) => (isUp ? memory.advance(change, caps) : createDeadStore().advance(change, caps)),
  }
  const { exchange } = setUp({ store })
  await recall(exchange, decodeText('{"model":"m","input":"Hi","stream":true}'))
  exchange.own?.began?.('str_1')
  isUp = true
  t.equal(await exchange.own?.keep?.(Buffer.from('{"id":"resp_u1"}')), null)
  t.match(memory.get('a', 'resp_u1'), { phase: 'over', streamId: 'str_1' })
  const late = setUp({ store })
  await recall(late.exchange, decodeText('{"model":"m","input":"Hi","stream":true}'))
  late.exchange.own?.began?.('str_1')
  isUp = false
  t.match(await late.exchange.own?.keep?.(Buffer.from('{}')), { data: { code: 'storage_unavailable' } })
})

test('a request with its client is none of the background, however its body says so', (t) => {
  const { exchange } = setUp()
  recall(exchange, decodeText('{"model":"m","input":"Hi","b\\u0061ckground":true}'))
  t.match(exchange.own?.members, { id: 'resp_u1', background: false })
  t.end()
})

test('what was decided before stays as it is', (t) => {
  const { exchange } = setUp()
  const own = { members: { id: 'resp_given' }, keep: null, isPrivate: true }
  ;(exchange as { own: unknown }).own = own
  const decoded = decodeText('{"model":"m","input":"Hi"}')
  t.equal(recall(exchange, decoded), decoded)
  t.equal(exchange.own, own)
  t.end()
})
