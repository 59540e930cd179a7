// A turn that generates nothing: what it checks, where its input is kept, and what it answers.
import { test } from 'tap'
import { GatewayError } from '../../../src/errors.js'
import { openaiResponses } from '../../../src/protocols/openai-responses/index.js'
import { ResponseDesk } from '../../../src/responses/response-desk.js'
import { ResponseIds } from '../../../src/responses/response-ids.js'
import { type StoredResponse } from '../../../src/responses/store.js'
import { type FrontView } from '../../../src/server/context.js'
import { warmUp } from '../../../src/server/websocket/warm-up.js'
import { parseRequestBody } from '../../../src/wire/body/members.js'
import { rejectsWith } from '../../helpers/rejects.js'
import { CAPS, createDeadStore, createMemoryStore, storedResponse, TEXTS } from '../../helpers/responses.js'

/** The parts of the surface that the mode needs. */
function partsOf({ surface }: typeof openaiResponses) {
  const stored = surface?.stored
  const mode = surface?.socketMode
  if (surface === null || stored === undefined || mode === undefined) throw new Error('no such surface')
  return { surface, stored, mode }
}

const PARTS = partsOf(openaiResponses)

const KEY = { index: 0, name: 'a', owner: 'a' }

function start(store: ConstructorParameters<typeof ResponseDesk>[0]['store'] | null = createMemoryStore().store) {
  const calls: string[] = []
  const rules = {
    texts: TEXTS,
    retentionMs: 1000,
    caps: CAPS,
    onStoreDown: 'fail',
    nowMs: () => 0,
    warn: () => undefined,
  } as const
  const desk = store === null ? null : new ResponseDesk({ store, ...rules })
  let refusal: GatewayError | null = null
  const jobs = {
    countRequest: async () => {
      calls.push('counted')
      if (refusal !== null) throw refusal
    },
    checkRoute: () => void calls.push('routed'),
  }
  const view = { jobs, responses: { ids: new ResponseIds(), desk } } as unknown as FrontView
  const shelf = new Map<string, StoredResponse>()
  const decode = (_: string, body: Uint8Array<ArrayBuffer>) => {
    const { json, members } = parseRequestBody(body)
    return { facts: PARTS.surface.readFacts(json), members, estimatedTokens: 1, json, head: null, body }
  }
  const run = async (request: object) => {
    const ground = { ...PARTS, view, key: KEY, decode, maxBytes: 1000 }
    const onShelf = {
      get: (id: string) => shelf.get(id) ?? null,
      put: (each: StoredResponse) => void shelf.set(each.id, each),
    }
    const frames = await warmUp({ ...ground, shelf: onShelf }, new Uint8Array(Buffer.from(JSON.stringify(request))))
    const last = frames.at(-1) ?? ''
    return JSON.parse(last.slice(last.indexOf('data: ') + 6)).response
  }
  const refuse = (error: GatewayError): void => {
    refusal = error
  }
  return { run, calls, desk, shelf, refuse }
}

const inputOf = (answer: StoredResponse | null | undefined) => JSON.parse(Buffer.from(answer?.input ?? []).toString())

test('its input is stored under the id that it answers, or kept on the shelf where nothing is stored', async (t) => {
  const rig = start()
  const kept = await rig.run({ model: 'm', input: 'Hi', instructions: 'Be brief.' })
  t.match(kept, { status: 'completed', output: [], store: true, instructions: 'Be brief.', model: 'm' })
  const found = await rig.desk?.get('a', kept.id)
  t.same(inputOf(found), [{ type: 'message', role: 'user', content: 'Hi' }])
  t.same(JSON.parse(Buffer.from(found?.response ?? []).toString()), kept)
  t.equal(rig.shelf.size, 0)
  const shelved = await rig.run({ model: 'm', input: 'Hi', store: false })
  t.equal(shelved.store, false)
  t.match(rig.shelf.get(shelved.id), { owner: 'a', model: 'm', streamId: null })
  t.equal(await rig.desk?.get('a', shelved.id), null)
  const without = start(null)
  t.ok(without.shelf.get((await without.run({ model: 'm', input: 'Hi' })).id), 'no store at all')
  t.same(rig.calls, ['routed', 'counted', 'routed', 'counted'])
})

test('it continues an answer of the connection or of the store, and no other', async (t) => {
  const rig = start()
  rig.shelf.set(
    'resp_s',
    storedResponse('resp_s', { input: Buffer.from('["one"]'), response: Buffer.from('{"output":["two"]}') }),
  )
  const first = await rig.run({
    model: 'm',
    input: ['three'].map((content) => ({ role: 'user', content })),
    previous_response_id: 'resp_s',
    store: true,
  })
  t.equal(first.previous_response_id, 'resp_s')
  t.same(inputOf(await rig.desk?.get('a', first.id)), ['one', 'two', { role: 'user', content: 'three' }])
  const second = await rig.run({ model: 'm', input: [], previous_response_id: first.id, store: false })
  t.equal(inputOf(rig.shelf.get(second.id)).length, 3)
  await rejectsWith(t, rig.run({ model: 'm', input: '', previous_response_id: 'resp_x' }), {
    data: { ownCode: 'previous_response_not_found' },
  })
})

test('what is refused is kept nowhere: an invalid body, a limit, a store that is away', async (t) => {
  const rig = start(createDeadStore())
  await rejectsWith(t, rig.run({ model: 'm', input: 7 }), { data: { code: 'invalid_request', param: 'input' } })
  t.same(rig.calls, [], 'it is not counted')
  await rejectsWith(t, rig.run({ model: 'm', input: 'Hi' }), { data: { code: 'storage_unavailable' } })
  rig.refuse(new GatewayError('rate_limited'))
  await rejectsWith(t, rig.run({ model: 'm', input: 'Hi', store: false }), { data: { code: 'rate_limited' } })
  t.equal(rig.shelf.size, 0)
})
