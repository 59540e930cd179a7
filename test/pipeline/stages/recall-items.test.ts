import { test } from 'tap'
import { recallItems } from '../../../src/pipeline/stages/recall-items.js'
import { type DecodedBody } from '../../../src/protocols/contract/envelope.js'
import { stored } from '../../../src/protocols/openai-responses/stored.js'
import { ResponseDesk } from '../../../src/responses/response-desk.js'
import { type ResponseStore } from '../../../src/responses/store.js'
import { parseRequestBody } from '../../../src/wire/body/members.js'
import { rejectsWith } from '../../helpers/rejects.js'
import { CAPS, createMemoryStore, storedResponse, TEXTS } from '../../helpers/responses.js'

const TEXT = '{"input":[{"id":"msg_1"},{"id":"msg_1"},{"id":"msg_2"}]}'
const REFERENCES = [
  { index: 0, id: 'msg_1' },
  { index: 1, id: 'msg_1' },
  { index: 2, id: 'msg_2' },
]

function decodedOf(text: string, references: readonly object[] | undefined): DecodedBody {
  const body = new Uint8Array(Buffer.from(text))
  const state = { previousId: null, isStored: true, isBackground: false, ...(references && { references }) }
  return { body, members: parseRequestBody(body).members, facts: { state } } as unknown as DecodedBody
}

function setUp() {
  const { store } = createMemoryStore()
  const response = Buffer.from('{"output":[{"id":"msg_1","n":1},{"id":"msg_2","n":2}]}')
  store.put(storedResponse('r1', { response, items: TEXTS.itemsIn(response) }), CAPS)
  const asked: (readonly string[])[] = []
  const slow: ResponseStore = {
    ...{ put: (...args) => store.put(...args), advance: (...args) => store.advance(...args) },
    ...{ get: async (...args) => store.get(...args), delete: async (...args) => store.delete(...args) },
    close: () => store.close(),
    async findItems(owner, ids) {
      asked.push(ids)
      return store.findItems(owner, ids)
    },
  }
  const rules = { texts: TEXTS, retentionMs: 1000, caps: CAPS, onStoreDown: 'fail', nowMs: () => 0 } as const
  const desks = [store, slow].map((each) => new ResponseDesk({ store: each, ...rules, warn: () => undefined }))
  return { desks, asked }
}

test('items that an input names take their places, each looked up once', async (t) => {
  const { desks, asked } = setUp()
  for (const desk of desks) {
    const source = { stored, desk, owner: 'a', maxBytes: 1000 }
    const { body } = await recallItems(decodedOf(TEXT, REFERENCES), source)
    const items = '{"id":"msg_1","n":1},{"id":"msg_1","n":1},{"id":"msg_2","n":2}'
    t.equal(String(Buffer.from(body)), `{"input":[${items}]}`)
  }
  t.same(asked, [['msg_1', 'msg_2']])
})

test('a request that names none is the same object, and asks no store', (t) => {
  const decoded = decodedOf('{"input":[]}', undefined)
  t.equal(recallItems(decoded, { stored, desk: null, owner: 'a', maxBytes: 1000 }), decoded)
  t.end()
})

test('an item of another owner, an unknown one, and any without a store are not found alike', async (t) => {
  const { desks } = setUp()
  const wanted = { data: { code: 'invalid_request', ownCode: 'item_not_found', param: 'input.0' } }
  for (const desk of [null, ...desks]) {
    const source = { stored, desk, owner: 'b', maxBytes: 1000 }
    await rejectsWith(t, (async () => recallItems(decodedOf(TEXT, REFERENCES), source))(), wanted)
  }
})
