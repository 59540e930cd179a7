// Law 7 once more, without a script: whatever happens in whatever order, an exchange settles once and gives all back.
import { mock } from 'node:test'
import fc from 'fast-check'
import { test } from 'tap'
import { FakeSink } from '../helpers/fake-sink.js'
import { PipelineRig, turn } from '../helpers/pipeline.js'
import { breaches } from '../helpers/pipeline-breaches.js'
import { KEEPALIVE_MS } from '../helpers/pipeline-config.js'
import { ANTHROPIC, OPENAI, STREAMS, WHOLES, type Wire } from '../helpers/pipeline-wires.js'

/** What may happen; each has no effect where it cannot happen. */
const ACTS: Readonly<Record<string, (rig: PipelineRig, sink: FakeSink) => unknown>> = {
  release: (rig) => rig.release(),
  refuse: (rig) => rig.refuse(),
  head: (rig) => rig.calls.at(-1)?.head(),
  jsonHead: (rig) => rig.calls.at(-1)?.head(200, { 'content-type': 'application/json' }),
  refusal: (rig) => rig.calls.at(-1)?.head(429, { 'retry-after': '1' }),
  gone: (rig) => rig.calls.at(-1)?.head(499),
  page: (rig) => rig.calls.at(-1)?.head(200, { 'content-type': 'text/html' }),
  first: (rig) => send(rig, ({ head }) => head),
  content: (rig) => send(rig, ({ content }) => content[0]),
  half: (rig) => send(rig, ({ content }) => content[1].slice(0, 40)),
  rest: (rig) => send(rig, ({ content }) => content[1].slice(40)),
  finish: (rig) => send(rig, ({ finish }) => finish),
  marker: (rig) => send(rig, ({ marker }) => marker),
  all: (rig) => send(rig, ({ head, content, finish, marker }) => head + content.join('') + finish + marker),
  failure: (rig) => send(rig, ({ failure }) => failure),
  whole: (rig) => rig.calls.at(-1)?.send(WHOLES[rig.call.wire]),
  garbage: (rig) => rig.calls.at(-1)?.send('data: {\n\n}{'),
  end: (rig) => rig.calls.at(-1)?.end(),
  cut: (rig) => rig.calls.at(-1)?.cut(),
  timeout: (rig) => rig.calls.at(-1)?.timeOut(),
  cancel: (_rig, sink) => sink.handle?.cancel(),
  leave: (_rig, sink) => sink.leave(),
  cutReader: (_rig, sink) => sink.leave('slow_reader'),
  pause: (_rig, sink) => {
    sink.isPaused = true
  },
  resume: (_rig, sink) => sink.resume(),
  keepalive: (rig) => {
    rig.nowMs += KEEPALIVE_MS
    mock.timers.tick(KEEPALIVE_MS)
  },
  drain: (rig) => rig.pipeline.endAll(),
  wait: (rig) => {
    rig.nowMs += 6000
    mock.timers.tick(6000)
  },
}

function send(rig: PipelineRig, part: (stream: (typeof STREAMS)[Wire]) => string): void {
  const call = rig.calls.at(-1)
  call?.send(part(STREAMS[call.wire]))
}

const scenario = fc.record({
  surface: fc.constantFrom(OPENAI, ANTHROPIC) as fc.Arbitrary<Wire>,
  model: fc.constantFrom('one', 'pair', 'twins', 'hedged', 'mixed', 'other'),
  stream: fc.boolean(),
  concurrency: fc.constantFrom(1, 10),
  retries: fc.constantFrom(0, 2),
  strikes: fc.constantFrom(1, 1000),
  holds: fc.subarray(['decode', 'encode', 'aggregate', 'transcode'] as const),
  breaksAt: fc.option(fc.constantFrom('reply', 'begin', 'follow', 'keepalive'), { nil: null, freq: 8 }),
  isGoneAtFollow: fc.boolean(),
  acts: fc.array(fc.constantFrom(...Object.keys(ACTS)), { maxLength: 14 }),
})

test('7. an exchange settles once and releases everything, whatever the order of events', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const rejections: unknown[] = []
  const note = (reason: unknown) => rejections.push(reason)
  process.on('unhandledRejection', note)
  t.teardown(() => process.off('unhandledRejection', note))
  await fc.assert(
    fc.asyncProperty(
      scenario,
      async ({ surface, model, stream, concurrency, retries, strikes, holds, breaksAt, isGoneAtFollow, acts }) => {
        const rig = new PipelineRig({
          concurrency,
          retries: { max: retries },
          breaker: { consecutiveFailures: strikes },
        })
        // With one slot it has to wait for this one first.
        const others = concurrency === 1 ? [await rig.ask({ model: 'at-south' })] : []
        for (const work of holds) rig.holds.add(work)
        const sink = new FakeSink()
        sink.breaksAt = breaksAt
        sink.isGoneAtFollow = isGoneAtFollow && acts.length % 3 === 0
        await rig.ask({ surface, model, stream, sink })
        for (const act of acts) {
          await ACTS[act]?.(rig, sink)
          await turn()
        }
        rig.holds.clear()
        // Six tries each at most, for two exchanges that may have to wait for each other.
        for (let round = 0; round < 8 || (round < 30 && rig.pipeline.openCount() > 0); round++) {
          rig.nowMs += 1500
          mock.timers.tick(1500)
          await rig.release()
          for (const call of rig.calls) if (!call.isOver) call.cut()
          for (const each of [sink, ...others]) each.resume()
          await turn()
        }
        mock.timers.tick(1000)
        await turn()
        const wrong = [...breaches(rig, [sink, ...others]), ...rejections.map(String)]
        if (wrong.length > 0) throw new Error(wrong.join('; '))
      },
    ),
    { numRuns: 1500, seed: 7 },
  )
  t.pass('1500 orders of events')
})
