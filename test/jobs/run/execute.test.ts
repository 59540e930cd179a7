// A job's exchange with the pipeline: what goes in, what comes back, and how it is broken off.
import { test } from 'tap'
import { errorData } from '../../../src/errors.js'
import { createExecute } from '../../../src/jobs/run/execute.js'
import { type Job } from '../../../src/jobs/store.js'
import { COMPLETE, FakeExchange, fakeFace, fakeSurface } from '../../helpers/fake-pipeline.js'
import { rejectionOf } from '../../helpers/thrown.js'

const JOB: Job = {
  ...{ id: 'job-1', kind: 'chat', owner: 'team-a', state: 'processing', attempts: 1, acceptedAtMs: 1, changedAtMs: 1 },
  ...{ costNano: null, error: null, webhook: null, answer: null, request: '{"model":"é"}' },
  context: { requestId: 'r-1', parameterHeaders: { 'x-beta': 'b' } },
}

function rig() {
  const exchanges: FakeExchange[] = []
  const execute = createExecute({
    surface: fakeSurface,
    keyOf: (owner) => (owner === 'gone' ? null : { index: owner === '' ? -1 : 3, name: null, owner }),
    nowMs: () => 42,
    pipeline: {
      start(request, sink) {
        const exchange = new FakeExchange(request, sink, 1000)
        exchanges.push(exchange)
        return exchange
      },
    },
  })
  const abort = new AbortController()
  const costs: number[] = []
  const begin = (job: Partial<Job> = {}) => {
    const running = execute({ ...JOB, ...job }, abort.signal, (nano) => void costs.push(nano))
    return { running, exchange: exchanges.at(-1) as FakeExchange }
  }
  return { begin, abort, exchanges, costs }
}

test('runs as a request of the key it came under, and answers with the whole body', async (t) => {
  const { running, exchange } = rig().begin()
  const { request, text } = exchange
  t.match(request, { requestId: 'r-1', key: { index: 3, owner: 'team-a' }, parameterHeaders: { 'x-beta': 'b' } })
  t.equal(request.acceptedAtMs, 42)
  t.equal(request.isCounted, true, 'when it was accepted')
  t.equal(text, JOB.request)
  t.equal(request.body.buffer.byteLength, request.body.byteLength, 'in a buffer of its own')
  exchange.reply(200, '{"ok":"é"}')
  t.equal(await running, '{"ok":"é"}')
})

test('an error of the exchange is the error of the run', async (t) => {
  const { running, exchange } = rig().begin()
  exchange.reply(503, '{}', errorData('upstream_overloaded', { retryAfterMs: 7000 }))
  t.match(await rejectionOf(running), { code: 'upstream_overloaded', retryable: true, retryAfterMs: 7000 })
})

test('what the attempts have cost is told before the end, of an error as well; nothing where no price is known', async (t) => {
  const { begin, costs } = rig()
  const answer = { status: 200, headers: [], body: Buffer.from('{}'), error: null }
  const first = begin()
  first.exchange.sink.reply(answer, 1500)
  await first.running
  t.same(costs, [1500])
  const second = begin()
  second.exchange.sink.reply({ ...answer, error: errorData('upstream_overloaded') }, 700)
  await rejectionOf(second.running)
  const third = begin()
  third.exchange.sink.reply(answer, null)
  await third.running
  t.same(costs, [1500, 700])
})

test('an abort cancels the exchange', async (t) => {
  const { begin, abort } = rig()
  const { exchange } = begin()
  t.equal(exchange.cancels, 0)
  abort.abort()
  t.equal(exchange.cancels, 1)
})

test('a key that is gone may do nothing any more; a gateway without keys needs none', async (t) => {
  const { begin, exchanges } = rig()
  t.match(await rejectionOf(begin({ owner: 'gone' }).running), { code: 'forbidden', retryable: false })
  t.equal(exchanges.length, 0)
  const { exchange } = begin({ owner: '', context: {} })
  t.match(exchange.request, { requestId: 'job-1', key: { index: -1, name: null }, parameterHeaders: {} })
})

test('a request that streams all the same fails, and its upstream is let go', async (t) => {
  const { running, exchange } = rig().begin()
  exchange.sink.begin({ headers: [], contentType: 'text/event-stream', transport: 'sse' }, fakeFace)
  exchange.sink.keepalive()
  exchange.sink.follow(
    (onReadable) => exchange.log.attach(onReadable),
    (delivery) => exchange.deliveries.push(delivery),
  )
  exchange.log.close(COMPLETE)
  t.match(await rejectionOf(running), { code: 'internal' })
  t.same(exchange.deliveries, [{ result: 'client_gone', bytes: 0 }])
})
