// Law 0 for laws 6 and 7: a worker that answers otherwise is found, and so is each thing that an exchange may leave behind.
import { test } from 'tap'
import { GatewayError } from '../../src/errors.js'
import { createOffload, type Offload } from '../../src/offload/offload.js'
import { createCodec } from '../../src/protocols/contract/codec.js'
import { PROTOCOLS } from '../../src/protocols/index.js'
import { type FakeSink } from '../helpers/fake-sink.js'
import { findUnlike } from '../helpers/offload-law.js'
import { PipelineRig } from '../helpers/pipeline.js'
import { breaches } from '../helpers/pipeline-breaches.js'
import { OPENAI, STREAMS } from '../helpers/pipeline-wires.js'

const metrics = { offloadTask: () => undefined, offloadQueue: () => undefined }
const options = { workers: 1, maxQueue: 1, taskTimeoutMs: 1000, metrics, minBytes: Number.POSITIVE_INFINITY }
const inline = createOffload(createCodec(PROTOCOLS), options)

test('law 6 fails for a worker with another result, another error, or none', async (t) => {
  const body = Buffer.from('{"model":"m","messages":[{"role":"user","content":"Hi"}]}')
  const decode = (offload: Offload) => offload.decode(OPENAI, new Uint8Array(body))
  t.same(await findUnlike('same', decode, inline, inline), [])
  const counting = {
    ...inline,
    decode: async (id: string, bytes: Uint8Array<ArrayBuffer>) => {
      const decoded = await inline.decode(id, bytes)
      return { ...decoded, estimatedTokens: decoded.estimatedTokens + 1 }
    },
  }
  const failing = { ...inline, decode: () => Promise.reject(new GatewayError('overloaded')) }
  for (const worker of [counting, failing]) t.match(await findUnlike('other', decode, worker, inline), [/^other: /])
  const ill = (offload: Offload) => offload.decode(OPENAI, new Uint8Array(2))
  t.same(await findUnlike('ill', ill, inline, inline), [])
  t.match(await findUnlike('ill', ill, failing, inline), [/^ill: .*overloaded/])
})

const EMPTY = new Uint8Array(0)

/** What an exchange that is over may have left behind, and the words of it. */
const SINS: readonly (readonly [found: RegExp, commit: (rig: PipelineRig, sink: FakeSink) => unknown])[] = [
  [/2 log lines for 1/, (rig) => rig.records.push(rig.record)],
  [/started is not settled/, (rig) => rig.metrics.settled.pop()],
  [/1 sse streams open/, (rig) => rig.metrics.streamOpened('sse')],
  [
    /1 slots taken/,
    (rig) => rig.limiter.enter(0, { keyIndex: 0, onEntered: () => undefined, onRefused: () => undefined }),
  ],
  [
    /1 reservations left/,
    (rig) => {
      rig.limiter.reservations += 1
    },
  ],
  [/provider 7: 1 slots taken/, (rig) => rig.limiter.providers.set(7, 1)],
  [/an exchange is open/, (rig) => rig.ask()],
  [
    /an upstream call is left running/,
    (rig) => {
      rig.call.isOver = false
    },
  ],
  [/for 1 calls/, (rig) => rig.metrics.attempts.pop()],
  [/after settle: reply/, (_rig, sink) => sink.late.push('reply')],
  [/answered twice/, (_rig, sink) => sink.deliveries.push(...sink.deliveries)],
  [/a reply after the head/, (_rig, sink) => sink.answers.push({ status: 200, headers: [], body: EMPTY, error: null })],
  [/told a client 499/, (_rig, sink) => sink.answers.push({ status: 499, headers: [], body: EMPTY, error: null })],
  [/an end marker beside an error/, (_rig, sink) => sink.chunks.push(Buffer.from('data: {"error":{}}\n\n'))],
]

test('law 7 fails for each thing that an exchange may leave behind', async (t) => {
  for (const [found, commit] of SINS) {
    const rig = new PipelineRig()
    const sink = await rig.ask()
    const { head, content, finish, marker } = STREAMS[OPENAI]
    rig.call
      .head()
      .send(head + content.join('') + finish + marker)
      .end()
    await rig.release()
    t.same(breaches(rig, [sink]), [])
    await commit(rig, sink)
    t.ok(
      breaches(rig, [sink]).some((words) => found.test(words)),
      String(found),
    )
    rig.pipeline.endAll()
  }
})
