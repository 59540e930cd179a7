// A client that waits for the events of an answer which has not begun. test/e2e/background-responses.test.ts has the whole way.
import { type Test, test } from 'tap'
import { openaiResponses } from '../../../src/protocols/openai-responses/index.js'
import { stored } from '../../../src/protocols/openai-responses/stored.js'
import { type ResponseStore } from '../../../src/responses/store.js'
import { Bell } from '../../../src/server/background/bell.js'
import { createDesk, queuedRecord } from '../../helpers/background.js'
import { COMPLETE } from '../../helpers/fake-pipeline.js'
import { startKeptFront } from '../../helpers/kept-front.js'
import { createMemoryStore } from '../../helpers/responses.js'
import { payloadsOf } from '../../protocols/openai-responses/streams.js'

const SURFACE = openaiResponses.surface
const QUEUED = queuedRecord('r1', { phase: 'waiting' })
const PLACE = { id: 'r1', owner: 'a' }

async function start(t: Test, { store = createMemoryStore().store as ResponseStore, keepaliveMs = 15_000 } = {}) {
  if (SURFACE === null) throw new Error('no surface')
  const desk = createDesk(store)
  const bell = new Bell()
  const responses = { ids: { create: () => 'x' }, desk }
  const front = await startKeptFront(t, { config: { keepaliveMs }, options: { surfaces: [SURFACE], responses, bell } })
  /** The text so far; `more` waits until it has this. */
  const open = async (query: string) => {
    const leave = new AbortController()
    const init = { headers: { authorization: 'Bearer a' }, signal: leave.signal }
    const answer = await fetch(`${front.url}/v1/responses/r1?stream=true${query}`, init)
    const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader()
    let text = ''
    const more = async (wanted: string): Promise<string> => {
      while (!text.includes(wanted)) {
        const { done, value } = (await reader?.read()) ?? { done: true, value: undefined }
        if (done) break
        text += value
      }
      return text
    }
    return { more, leave: () => leave.abort() }
  }
  return { ...front, store, desk, bell, open }
}

const END = 'nothing more'

/** Without keepalives. */
function eventsOf(text: string) {
  return payloadsOf(text.replace(/^:.*\n/gm, ''))
}

test('it has at once that the answer waits, then the events of its stream, each once', async (t) => {
  const { desk, bell, open, begin } = await start(t)
  await desk.commit(QUEUED)
  const [all, second, rest] = await Promise.all([open(''), open('&starting_after=0'), open('&starting_after=2')])
  t.same(
    eventsOf(await all.more('response.queued')).map(({ type }) => type),
    ['response.created', 'response.queued'],
  )
  const stream = begin({ surfaceId: SURFACE?.id ?? '' })
  for (const frame of stored.firstFrames(QUEUED.response)) stream.append(frame)
  stream.append(Buffer.from('event: a\ndata: {"type":"a","sequence_number":2}\n\n'))
  stream.append(Buffer.from('event: b\ndata: {"type":"b","sequence_number":3}\n\n'))
  await desk.advance({ ...PLACE, phase: 'running', response: QUEUED.response, streamId: stream.facts.id })
  bell.ring('r1')
  t.same(
    eventsOf(await all.more('"sequence_number":3}\n\n')).map((event) => event.sequence_number),
    [0, 1, 2, 3],
  )
  stream.close(COMPLETE)
  t.same(
    eventsOf(await all.more(END)).map((event) => event.sequence_number),
    [0, 1, 2, 3],
  )
  t.same(
    eventsOf(await second.more(END)).map((event) => event.sequence_number),
    [1, 2, 3],
  )
  t.same(
    eventsOf(await rest.more(END)).map((event) => event.sequence_number),
    [3],
  )
})

test('where no events are held it ends with those that the answer has, and where it fails with the error', async (t) => {
  const { desk, bell, open } = await start(t)
  await desk.commit(QUEUED)
  const done = await open('')
  await done.more('response.queued')
  const response = Buffer.from('{"id":"r1","status":"completed","background":true}')
  await desk.advance({ ...PLACE, phase: 'over', response, streamId: null })
  bell.ring('r1')
  t.match(eventsOf(await done.more(END)).at(-1), { type: 'response.completed', sequence_number: 2 })
  await desk.delete('a', 'r1')
  await desk.commit(QUEUED)
  const failing = await open('')
  await failing.more('response.queued')
  const failed = Buffer.from('{"id":"r1","status":"failed","error":{"code":"c","message":"m"}}')
  await desk.advance({ ...PLACE, phase: 'over', response: failed, streamId: 'str_gone' })
  bell.ring('r1')
  t.match(eventsOf(await failing.more(END)).slice(2), [{ type: 'error', code: 'c' }, { type: 'response.failed' }])
})

test('what runs elsewhere rings no bell here, and is found all the same; a deleted answer ends the stream', async (t) => {
  const { desk, open } = await start(t)
  await desk.commit(QUEUED)
  const client = await open('')
  await client.more('response.queued')
  await desk.delete('a', 'r1')
  t.match(eventsOf(await client.more(END)).slice(2), [{ type: 'error', message: 'The response was deleted.' }, {}])
})

test('a client that waits is kept alive, and a store that is away for a while ends nothing', async (t) => {
  const { store } = createMemoryStore()
  let failures = 0
  let isAway = false
  const flaky: ResponseStore = {
    put: (response, caps) => store.put(response, caps),
    advance: (change, caps) => store.advance(change, caps),
    get(owner, id) {
      if (!isAway) return store.get(owner, id)
      failures += 1
      throw new Error('away')
    },
    findItems: (owner, ids) => store.findItems(owner, ids),
    delete: (owner, id) => store.delete(owner, id),
    close: () => store.close(),
  }
  const { desk, open } = await start(t, { store: flaky, keepaliveMs: 1 })
  await desk.commit(QUEUED)
  const client = await open('')
  await client.more('response.queued')
  isAway = true
  await client.more('\n\n: ')
  t.ok(failures > 0)
  isAway = false
  const response = Buffer.from('{"id":"r1","status":"incomplete"}')
  await desk.advance({ ...PLACE, phase: 'over', response, streamId: null })
  t.match(await client.more(END), /response\.incomplete/)
  const gone = await open('')
  gone.leave()
})
