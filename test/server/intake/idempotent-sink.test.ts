// The answer of a request with an Idempotency-Key is in the store before its client has it; whatever is no answer worth
// repeating frees the key.
import { test } from 'tap'
import { errorData } from '../../../src/errors.js'
import { type StoredAnswer } from '../../../src/jobs/store.js'
import { type Answer, type Sink } from '../../../src/pipeline/sink.js'
import { IdempotentSink } from '../../../src/server/intake/idempotent-sink.js'

const REQUEST = { owner: 'a', idempotency: { key: 'k', digest: 'd' } }
const ANSWER: Answer = {
  ...{ status: 200, error: null, body: Buffer.from('{"n":1}') },
  headers: [
    ['content-type', 'application/json'],
    ['x-ratelimit-remaining-requests', '5'],
    ['retry-after', '1'],
  ],
}

function rig(store: () => Promise<boolean> = async () => true) {
  const order: string[] = []
  const kept: StoredAnswer[] = []
  const notKept: string[] = []
  const desk = {
    async storeAnswer(_request: unknown, _lease: unknown, answer: StoredAnswer) {
      order.push('kept')
      kept.push(answer)
      return store()
    },
    async forget() {
      order.push('free')
      return store()
    },
  }
  const note = (what: string) => () => {
    order.push(what)
  }
  const calls = { reply: note('reply'), begin: note('begin'), keepalive: note('keepalive'), follow: note('follow') }
  const queued = ({ position }: { position: number }): void => void order.push(`queued ${position}`)
  const sink: Sink = { transport: 'json', ...calls, queued }
  const options = { desk, request: REQUEST, lease: { id: 'k', fence: 1 }, caps: { perKey: 100, all: 100 } }
  const onNotKept = (reason: string): void => void notKept.push(reason)
  return { order, kept, notKept, once: new IdempotentSink(sink, { ...options, maxAnswerBytes: 7, onNotKept }) }
}

async function quiet(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

test('a whole answer is kept first, without what is of the moment', async (t) => {
  const { once, order, kept } = rig()
  t.equal(once.transport, 'json')
  once.queued({ position: 4, etaMs: null })
  once.keepalive()
  once.reply(ANSWER)
  t.same(order, ['queued 4', 'keepalive', 'kept'], 'the client waits for the commit')
  await quiet()
  t.same(order, ['queued 4', 'keepalive', 'kept', 'reply'])
  t.same(kept, [{ status: 200, headers: [['content-type', 'application/json']], body: '{"n":1}' }])
  once.letGo()
  t.equal(order.length, 4, 'a client that leaves afterwards frees nothing')
})

test('an error, a stream and a client that left free the key, once', async (t) => {
  const failed = rig()
  failed.once.reply({ ...ANSWER, error: errorData('upstream_cut') })
  t.same(failed.order, ['free', 'reply'])
  const streamed = rig()
  streamed.once.begin({} as never, {} as never)
  streamed.once.follow(
    () => null as never,
    () => undefined,
  )
  streamed.once.letGo()
  t.same(streamed.order, ['free', 'begin', 'follow'])
  const left = rig()
  left.once.letGo()
  left.once.reply(ANSWER)
  await quiet()
  t.same(left.order, ['free', 'reply'], 'what comes after is kept for nobody')
})

test('an unavailable store costs the repetition, not the answer', async (t) => {
  const away = async (): Promise<boolean> => {
    throw new Error('away')
  }
  const { once, order, notKept } = rig(away)
  once.reply(ANSWER)
  await quiet()
  t.same(order, ['kept', 'reply'])
  t.same(notKept, ['store'])
  const freed = rig(away)
  freed.once.letGo()
  await quiet()
  t.same(freed.order, ['free'])
})

test('an answer that is too large is not offered to the store, and frees the key', async (t) => {
  const { once, order, notKept } = rig()
  once.reply({ ...ANSWER, body: Buffer.from('{"n":12}') })
  t.same(order, ['free', 'reply'])
  t.same(notKept, ['size'])
  const full = rig(async () => false)
  full.once.reply(ANSWER)
  await quiet()
  t.same(full.order, ['kept', 'reply'])
  t.same(full.notKept, ['store'], 'or the store has no room')
})
