// The state of one exchange: it ends once, and lets go of what nobody needs.
import { type Test, test } from 'tap'
import { NO_USAGE } from '../../src/model/usage.js'
import { type Ending, Exchange, type ExchangeIn, type ExchangeView } from '../../src/pipeline/exchange.js'
import { FakeSink } from '../helpers/fake-sink.js'
import { PipelineRig } from '../helpers/pipeline.js'
import { KEY } from '../helpers/pipeline-config.js'
import { OPENAI, surfaceOf } from '../helpers/pipeline-wires.js'

function open(_t: Test) {
  const endings: Ending[] = []
  const request = {
    requestId: 'r',
    surface: surfaceOf(OPENAI),
    key: KEY,
    body: new Uint8Array([1, 2, 3]),
    parameterHeaders: {},
    acceptedAtMs: 0,
  }
  const { parts } = new PipelineRig()
  const exchange = new Exchange(request, new FakeSink(), parts, (_exchange, ending) => endings.push(ending))
  let aborts = 0
  exchange.call = {
    abort: () => {
      aborts += 1
    },
  }
  return { exchange, endings, aborts: () => aborts }
}

const END = { outcome: 'complete', error: null, usage: NO_USAGE, usageSource: 'provider' } as const

test('only the first end counts, and the call is aborted once', async (t) => {
  const { exchange, endings, aborts } = open(t)
  exchange.cancel()
  exchange.cancel()
  exchange.deliver({ result: 'delivered', bytes: 1 })
  exchange.giveUp(new Error('late'))
  t.equal(endings.length, 1)
  t.match(endings[0], { outcome: 'client_gone', status: 499 })
  t.equal(aborts(), 1)
})

test('a stream that was delivered ended as its log was closed; one that was not, as its client left', async (t) => {
  for (const [result, outcome] of [
    ['delivered', 'complete'],
    ['client_gone', 'client_gone'],
    ['slow_reader', 'slow_reader'],
  ] as const) {
    const { exchange, endings } = open(t)
    exchange.closeLog(END)
    t.ok(exchange.isEnded)
    t.notOk(exchange.isSettled, 'the client has yet to take it')
    exchange.closeLog({ ...END, outcome: 'failed' }, 'a later cause')
    exchange.deliver({ result, bytes: 42 })
    t.match(endings, [{ outcome, status: 200, responseBytes: 42, cause: null }])
  }
})

test('the log keeps the cause of a stream’s failure', async (t) => {
  const { exchange, endings } = open(t)
  const cause = new Error('why')
  exchange.closeLog({ ...END, outcome: 'failed' }, cause)
  exchange.deliver({ result: 'delivered', bytes: 0 })
  t.equal(endings[0]?.cause, cause)
})

test('when the last reader leaves the log the upstream is stopped', async (t) => {
  const { exchange, aborts } = open(t)
  const reader = exchange.openLog().attach(() => {})
  t.equal(exchange.openLog(), exchange.log, 'one log')
  reader.detach()
  t.equal(aborts(), 1)
})

test('tries are kept from the first that failed on; of one that went well there is no list', (t) => {
  const { exchange } = open(t)
  const ok = { provider: 'north', model: 'up', result: 'ok', error: null } as const
  exchange.noteTry(ok, 0)
  t.equal(exchange.tries, null)
  exchange.noteTry({ ...ok, result: 'cut' }, null)
  exchange.noteTry(ok, exchange.context.clock.nowMs() - 5)
  t.match(exchange.tries, [
    { result: 'cut', ms: 0 },
    { result: 'ok', ms: 5 },
  ])
  t.end()
})

test('settling leaves the queue', async (t) => {
  const { exchange } = open(t)
  let left = 0
  exchange.onCancel = () => {
    left += 1
  }
  exchange.cancel()
  exchange.cancel()
  t.equal(left, 1)
})

test('once an answer has begun the prompt is let go', async (t) => {
  const rig = new PipelineRig()
  const { exchange } = open(t)
  const decoded = await rig.parts.offload.decode(
    OPENAI,
    new Uint8Array(Buffer.from('{"model":"one","messages":[{"role":"user","content":"x"}]}')),
  )
  exchange.decoded = decoded
  exchange.forgetBody()
  t.equal(exchange.body.length, 0)
  t.equal(exchange.decoded?.json, null)
  t.equal(exchange.decoded?.facts.model, 'one')
  t.equal(exchange.requestBytes, 3)
  t.notOk('body' in exchange.request)
})

test('a room writes its own fields of the exchange and no others', async (t) => {
  const { exchange } = open(t)
  const admit: ExchangeIn<'admit'> = exchange
  admit.reservedTokens = 7
  const view: ExchangeView = admit
  t.equal(view.reservedTokens, 7, 'it is the same object')
  // What follows is for the compiler, which fails where one of these errors is none.
  const refused = (delivery: ExchangeIn<'delivery'>): Exchange => {
    // @ts-expect-error another room's
    delivery.reservedTokens = 0
    // @ts-expect-error nobody's
    view.attempts = 0
    // @ts-expect-error a view is not the class
    return view
  }
  void refused
})
