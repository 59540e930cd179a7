// Requests with an Idempotency-Key whose earlier one is on another event loop: what happens while that loop is asked.
import { test } from 'tap'
import { type FoundKeyed, type SharingDesk } from '../../../src/server/context.js'
import { type HttpExchange } from '../../../src/server/http/http.js'
import { startOnce } from '../../../src/server/intake/run-once.js'
import { turn } from '../../helpers/pipeline.js'
import { KEY } from '../../helpers/pipeline-config.js'
import { OPENAI, surfaceOf } from '../../helpers/pipeline-wires.js'

/** One request whose key another event loop may have. */
function createAsking() {
  const events: string[] = []
  let answer: (found: FoundKeyed) => void = () => undefined
  const exchange = {
    head: { idempotencyKey: 'k1', parameterHeaders: {}, cacheControl: '', retryCount: '', asksToResume: false },
    path: null,
    requestId: 'r1',
    isOver: false,
    view: { keeping: null, sharing: { findKeyed: () => new Promise<FoundKeyed>((resolve) => (answer = resolve)) } },
    start: () => void events.push('start'),
    reject: (thrown: unknown) => void events.push(String(thrown)),
  }
  const door = {
    desk: {
      begin: () => Promise.reject(new Error('asked')),
      storeAnswer: () => Promise.resolve(false),
      forget: () => Promise.resolve(false),
    },
    onNotKept: () => undefined,
  }
  const asking = { exchange: exchange as unknown as HttpExchange, key: KEY, door }
  const done = startOnce(asking, surfaceOf(OPENAI), new Uint8Array(Buffer.from('{}')))
  const desk = { ended: () => void events.push('ended') } as unknown as SharingDesk
  return { exchange, events, done, desk, answer: (found: FoundKeyed) => answer(found) }
}

test('a repetition reads what the other loop has', async (t) => {
  const { events, done, desk, answer } = createAsking()
  await turn()
  t.same(events, [])
  answer(desk)
  await done
  t.same(events, ['start'])
})

test('a client that has left meanwhile is not started: nobody would take it off the other run again', async (t) => {
  const { exchange, events, done, desk, answer } = createAsking()
  await turn()
  exchange.isOver = true
  answer(desk)
  await done
  t.same(events, ['ended'])
})
