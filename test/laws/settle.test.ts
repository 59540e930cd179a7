// Law 7: an exchange settles exactly once, gives back everything it took and says truly how it ended, whoever leaves at
// whatever stage; with both surfaces, both streaming relays, and whole answers.
import { mock } from 'node:test'
import { test } from 'tap'
import { GatewayError } from '../../src/errors.js'
import { FakeDesk } from '../helpers/fake-desk.js'
import { type FakeSink } from '../helpers/fake-sink.js'
import { PipelineRig, turn } from '../helpers/pipeline.js'
import { breaches } from '../helpers/pipeline-breaches.js'
import { KEEPALIVE_MS, NO_PRICES, type RigOptions, TOKEN_LIMIT } from '../helpers/pipeline-config.js'
import { ANTHROPIC, OPENAI, STREAMS, type Wire } from '../helpers/pipeline-wires.js'

/** An exchange brought to a stage, and how to bring it to its end from there. */
type Scene = { readonly rig: PipelineRig; readonly sink: FakeSink; readonly others: readonly FakeSink[] }
type Way = { readonly surface: Wire; readonly model: string }
type Stage = {
  readonly name: string
  readonly reach: (way: Way) => Promise<Scene>
  /** The client has been told 200. */
  readonly hasBegun: boolean
  /** The upstream has been called and may still tell something. */
  readonly isUpstreamOpen: boolean
  /** The request has been sent to the upstream: it costs tokens. */
  readonly isSent: boolean
  /** How it ends whatever the upstream or the drain does from here on; null while that is open. */
  readonly decided: 'complete' | 'drained' | null
}
const DEFAULTS = { hasBegun: false, isUpstreamOpen: false, isSent: false, decided: null } as const
const SENT = { isUpstreamOpen: true, isSent: true } as const

/** Every exchange has a price, and a budget in dollars and in tokens. */
function fundedRig(options: RigOptions = {}): PipelineRig {
  const models = { '*/*': { input: 1, output: 2 } }
  const prices = { ...NO_PRICES, enabled: true, models, table: { version: 'test', lists: {} } }
  return new PipelineRig({ ...options, prices, budgets: new FakeDesk({ nano: 1e9, tokens: 1e6 }) })
}

async function ask(way: Way, rig = fundedRig(), stream = true): Promise<Scene> {
  return { rig, sink: await rig.ask({ ...way, stream }), others: [] }
}

async function held(way: Way, work: 'decode' | 'encode'): Promise<Scene> {
  const rig = fundedRig()
  rig.holds.add(work)
  return ask(way, rig)
}

async function sent(way: Way, ...parts: readonly ('head' | 'content' | 'finish')[]): Promise<Scene> {
  const scene = await ask(way)
  const { call } = scene.rig
  const { head, content, finish } = STREAMS[call.wire]
  call.head()
  for (const part of parts) call.send({ head, content: content[0], finish }[part])
  await turn()
  return scene
}

const STAGES: readonly Stage[] = [
  {
    ...DEFAULTS,
    name: 'waiting in the queue',
    reach: async (way) => {
      const rig = fundedRig({ concurrency: 1 })
      const first = await rig.ask(way)
      return { ...(await ask(way, rig)), others: [first] }
    },
  },
  { ...DEFAULTS, name: 'decoding in a worker', reach: (way) => held(way, 'decode') },
  { ...DEFAULTS, name: 'encoding in a worker', reach: (way) => held(way, 'encode') },
  { ...DEFAULTS, ...SENT, name: 'before the head', reach: (way) => ask(way) },
  { ...DEFAULTS, ...SENT, name: 'after the head, before content', reach: (way) => sent(way) },
  { ...DEFAULTS, ...SENT, name: 'with frames held back', reach: (way) => sent(way, 'head') },
  {
    ...DEFAULTS,
    ...SENT,
    name: 'after a keepalive',
    hasBegun: true,
    reach: async (way) => {
      const scene = await sent(way, 'head')
      scene.rig.nowMs += KEEPALIVE_MS
      mock.timers.tick(KEEPALIVE_MS)
      return scene
    },
  },
  { ...DEFAULTS, ...SENT, name: 'mid stream', hasBegun: true, reach: (way) => sent(way, 'head', 'content') },
  {
    ...DEFAULTS,
    ...SENT,
    name: 'after the end marker, before delivery',
    hasBegun: true,
    decided: 'complete',
    reach: async (way) => {
      const scene = await sent(way, 'head', 'content', 'finish')
      scene.sink.isPaused = true
      scene.rig.call.send(STREAMS[scene.rig.call.wire].marker)
      await turn()
      return scene
    },
  },
  {
    ...DEFAULTS,
    name: 'aggregating in a worker',
    isSent: true,
    reach: async ({ surface }) => {
      const rig = fundedRig()
      rig.holds.add('aggregate')
      const scene = await ask({ surface, model: surface === OPENAI ? 'other' : 'one' }, rig, false)
      rig.call.stream()
      await turn()
      return scene
    },
  },
  {
    ...DEFAULTS,
    name: 'during the drain',
    hasBegun: true,
    isSent: true,
    decided: 'drained',
    reach: async (way) => {
      const scene = await sent(way, 'head', 'content')
      scene.sink.isPaused = true
      scene.rig.pipeline.endAll()
      await turn()
      return scene
    },
  },
  {
    ...DEFAULTS,
    name: 'encoding in a worker after a keepalive, during the drain',
    hasBegun: true,
    decided: 'drained',
    reach: async (way) => {
      const scene = await held(way, 'encode')
      scene.rig.nowMs += KEEPALIVE_MS
      mock.timers.tick(KEEPALIVE_MS)
      scene.sink.isPaused = true
      scene.rig.pipeline.endAll()
      await turn()
      return scene
    },
  },
]

type Leaver = {
  readonly name: string
  readonly leave: (scene: Scene) => void
  readonly isUpstream: boolean
  readonly outcome: string
  /** Told to a client that has been told nothing yet. */
  readonly status: number
  /** It leaves even what is decided. */
  readonly isClient: boolean
}

const LEAVERS: readonly Leaver[] = [
  {
    name: 'the client cancels',
    leave: ({ sink }) => sink.handle?.cancel(),
    isUpstream: false,
    isClient: true,
    outcome: 'client_gone',
    status: 499,
  },
  {
    name: 'the client is gone',
    leave: ({ sink }) => sink.leave(),
    isUpstream: false,
    isClient: true,
    outcome: 'client_gone',
    status: 499,
  },
  {
    name: 'the upstream fails',
    leave: ({ rig }) => rig.call.fail(new GatewayError('upstream_cut')),
    isUpstream: true,
    isClient: false,
    outcome: 'upstream_cut',
    status: 502,
  },
  {
    name: 'the upstream ends',
    leave: ({ rig }) => rig.call.head().end(),
    isUpstream: true,
    isClient: false,
    outcome: 'upstream_cut',
    status: 502,
  },
  {
    name: 'the upstream times out',
    leave: ({ rig }) => rig.call.timeOut(),
    isUpstream: true,
    isClient: false,
    outcome: 'stalled',
    status: 504,
  },
  {
    name: 'the drain ends all',
    leave: ({ rig }) => rig.pipeline.endAll(),
    isUpstream: false,
    isClient: false,
    outcome: 'drained',
    status: 503,
  },
]

const WAYS: readonly (Way & { readonly name: string })[] = [
  { name: 'passthrough to OpenAI clients', surface: OPENAI, model: 'one' },
  { name: 'transcode to OpenAI clients', surface: OPENAI, model: 'other' },
  { name: 'passthrough to Anthropic clients', surface: ANTHROPIC, model: 'other' },
  { name: 'transcode to Anthropic clients', surface: ANTHROPIC, model: 'one' },
]

/** Everything that was held up goes on, and everybody who is still there behaves well. */
async function finish({ rig, sink, others }: Scene): Promise<void> {
  rig.holds.clear()
  for (let round = 0; round < 3; round++) {
    await rig.release()
    for (const each of [sink, ...others]) each.resume()
    for (const call of rig.calls) if (!call.isOver) call.stream()
    await turn()
  }
  // What lingers for its connection alone.
  mock.timers.tick(1000)
  await turn()
}

for (const way of WAYS) {
  test(`7. settle runs once under an abort at every stage: ${way.name}`, async (t) => {
    mock.timers.enable({ apis: ['setTimeout'] })
    t.teardown(() => mock.timers.reset())
    for (const stage of STAGES) {
      for (const leaver of LEAVERS) {
        if (leaver.isUpstream && !stage.isUpstreamOpen) continue
        const scene = await stage.reach(way)
        const { rig, sink } = scene
        const name = `${stage.name}, ${leaver.name}`
        const callsBefore = rig.calls.length
        leaver.leave(scene)
        await turn()
        // The other exchange of the queue is ended by a drain, too.
        const isAborted = rig.calls.every((call) => call.isOver) || stage.name === 'waiting in the queue'
        if (stage.decided !== 'complete') t.ok(isAborted, `${name}: the upstream is stopped at once`)
        await finish(scene)
        const record = rig.records.find(({ requestId }) => requestId === (scene.others.length > 0 ? 'req-2' : 'req-1'))
        t.same(breaches(rig, [sink, ...scene.others]), [], name)
        const outcome = leaver.isClient ? leaver.outcome : (stage.decided ?? leaver.outcome)
        t.equal(record?.outcome, outcome, `${name}: outcome`)
        t.equal(record?.status, stage.hasBegun ? 200 : leaver.status, `${name}: status`)
        const paid = rig.budgets?.settled.reduce((sum, { nano }) => sum + nano, 0)
        const cost = rig.records.reduce((sum, { costNano }) => sum + (costNano ?? 0), 0)
        t.equal(paid, cost, `${name}: its budgets pay what it cost`)
        if (!stage.isSent) {
          t.equal(record?.usage.inputTokens, 0, `${name}: what was not sent costs nothing`)
          t.equal(rig.calls.length, callsBefore, `${name}: no upstream is called afterwards`)
        } else if (!leaver.isUpstream) t.ok((record?.usage.inputTokens ?? 0) > 0, `${name}: what was sent costs`)
        if (leaver.isClient) t.equal(sink.answers.length, 0, `${name}: nobody is answered`)
        else if (!stage.hasBegun) t.equal(sink.answers[0]?.status, leaver.status, `${name}: answered with a status`)
        else if (outcome !== 'complete') t.match(sink.text, /error/, `${name}: told in-band`)
        const hasMarker = sink.text.includes(STREAMS[way.surface].endMarker)
        if (stage.decided !== 'complete') t.notOk(hasMarker, `${name}: no end marker`)
        else if (!leaver.isClient) t.ok(hasMarker, `${name}: the end marker`)
      }
    }
  })
}

test('7. without an abort every way is complete and costs what the provider reports', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  for (const way of WAYS) {
    for (const stream of [true, false]) {
      const rig = fundedRig()
      const sink = await rig.ask({ ...way, stream })
      const { call } = rig
      if (call.request.isStream) call.stream()
      else call.whole()
      await turn()
      t.same(breaches(rig, [sink]), [], way.name)
      t.equal(rig.record.outcome, 'complete')
      t.equal(rig.record.usageSource, 'provider')
      t.equal(TOKEN_LIMIT - rig.tokensLeft, 18)
      t.equal(call.aborts, 0, 'an upstream that ended by itself is not aborted')
    }
  }
})
