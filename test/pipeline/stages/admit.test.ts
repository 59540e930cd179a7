// Admission: buckets, slots and the queue before the body, tokens after it; all of it comes back.
import { test } from 'tap'
import { type JsonObject } from '../../../src/model/json.js'
import { neededTokens } from '../../../src/pipeline/stages/admit.js'
import { PipelineRig, turn } from '../../helpers/pipeline.js'
import { breaches } from '../../helpers/pipeline-breaches.js'
import { TOKEN_LIMIT } from '../../helpers/pipeline-config.js'

test('a request over its bucket is refused before its body is looked at', async (t) => {
  const rig = new PipelineRig({ requestsPerMinute: 1 })
  rig.holds.add('decode')
  const first = await rig.ask()
  const second = await rig.ask({ body: { messages: 'not a list' } })
  t.equal(second.answers[0]?.status, 429)
  t.equal(rig.record.outcome, 'limit')
  t.equal(rig.record.model, null, 'nothing of it was read')
  t.match(Object.fromEntries(second.answers[0]?.headers ?? []), { 'retry-after': String, 'retry-after-ms': String })
  first.leave()
  await rig.release()
  t.same(breaches(rig, [first, second]), [])
})

test('a request that finds all slots taken waits and continues when one is free', async (t) => {
  const rig = new PipelineRig({ concurrency: 1 })
  const first = await rig.ask()
  const second = await rig.ask()
  t.equal(rig.calls.length, 1, 'it waits')
  rig.nowMs += 250
  rig.call.stream()
  await turn()
  t.equal(rig.calls.length, 2, 'it goes on')
  t.equal(rig.record.queuedMs, null, 'the first one did not wait')
  rig.nowMs += 1000
  rig.call.stream()
  await turn()
  t.equal(rig.record.outcome, 'complete')
  t.equal(rig.record.queuedMs, 250)
  t.same(breaches(rig, [first, second]), [])
})

test('a client that leaves the queue is not admitted and delays no one behind it', async (t) => {
  const rig = new PipelineRig({ concurrency: 1 })
  const first = await rig.ask()
  const second = await rig.ask()
  const third = await rig.ask()
  second.leave()
  t.equal(rig.record.outcome, 'client_gone')
  rig.call.stream()
  await turn()
  t.equal(rig.calls.length, 2, 'the third was let in')
  rig.call.stream()
  await turn()
  t.same(breaches(rig, [first, second, third]), [])
})

test('a client that leaves while it is admitted releases its slot and is not decoded', async (t) => {
  const rig = new PipelineRig({ concurrency: 1 })
  rig.holds.add('decode')
  const first = await rig.ask()
  const second = await rig.ask()
  first.leave()
  // The queue lets the second in within a microtask; its client leaves before its next stage.
  await Promise.resolve()
  second.leave()
  await turn()
  t.equal(rig.held.length, 1, 'only the first was ever decoded')
  await rig.release()
  t.same(breaches(rig, [first, second]), [])
})

test('a full queue sheds with 503, an outcome of limit and a time to come back', async (t) => {
  const rig = new PipelineRig({ concurrency: 1, queueMax: 0 })
  const first = await rig.ask()
  const second = await rig.ask()
  t.equal(second.answers[0]?.status, 503)
  t.equal(rig.record.outcome, 'limit')
  t.ok(second.answers[0]?.headers.some(([name]) => name === 'retry-after'))
  rig.call.stream()
  await turn()
  t.same(breaches(rig, [first, second]), [])
})

test('tokens are reserved for the input and the client’s own cap, and settled by what was used', async (t) => {
  const rig = new PipelineRig()
  const sink = await rig.ask({ body: { max_tokens: 5000 } })
  const reserved = TOKEN_LIMIT - rig.tokensLeft
  t.ok(reserved > 5000 && reserved < 5100, String(reserved))
  rig.call.stream()
  await turn()
  t.equal(TOKEN_LIMIT - rig.tokensLeft, 18)
  t.same(breaches(rig, [sink]), [])
})

test('each answer that a request asks for is reserved for', async (t) => {
  const cases: [body: JsonObject, tokens: number][] = [
    [{ max_tokens: 1000, n: 4 }, 4000],
    [{ max_tokens: 1000, n: 2, best_of: 5 }, 5000],
    [{ max_tokens: null, n: 10 }, 5120],
  ]
  for (const [body, tokens] of cases) {
    const rig = new PipelineRig()
    await rig.ask({ body })
    const reserved = TOKEN_LIMIT - rig.tokensLeft
    t.ok(reserved >= tokens && reserved < tokens + 100, `${reserved} of ${tokens}`)
    rig.call.stream()
    await turn()
  }
})

test('what no number can hold is reserved for as the largest that one can', async (t) => {
  const facts = { model: 'm', stream: false, includeUsage: false, provider: null, prompt: null }
  const most = Number.MAX_SAFE_INTEGER
  t.equal(neededTokens({ ...facts, maxOutputTokens: most, answers: most }, most), most)
  t.equal(neededTokens({ ...facts, maxOutputTokens: null }, 3), 515)
})

test('what the key has no tokens for is refused before an upstream is asked, and costs nothing', async (t) => {
  const rig = new PipelineRig({ tokensPerMinute: 600 })
  const sink = await rig.ask({ body: { max_tokens: 601 } })
  t.equal(sink.answers[0]?.status, 429)
  t.equal(rig.record.outcome, 'limit')
  t.equal(rig.calls.length, 0)
  t.equal(rig.tokensLeft, 600)
  t.equal(rig.limiter.active(), 0)
})

/** A rig whose limiter asks elsewhere, and the answer. */
function askingRig(): { rig: PipelineRig; answer(): Promise<void> } {
  const rig = new PipelineRig()
  let resolve = (): void => {}
  const ask = (): void => {
    rig.limiter.asks = new Promise((done) => {
      resolve = done
    })
  }
  const answer = async (): Promise<void> => {
    const answered = resolve
    ask()
    answered()
    await turn()
  }
  ask()
  return { rig, answer }
}

test('a limiter that asks elsewhere is waited for, first for tokens, then for the provider', async (t) => {
  const { rig, answer } = askingRig()
  const sink = await rig.ask()
  t.equal(rig.calls.length, 0)
  await answer()
  t.equal(rig.calls.length, 0, 'the tokens are there')
  await answer()
  t.equal(rig.calls.length, 1, 'the provider too')
  rig.call.stream()
  await turn()
  t.equal(rig.record.outcome, 'complete')
  t.same(breaches(rig, [sink]), [])
})

test('a client that leaves while the shared limiter is asked releases what it is granted, and no provider is called', async (t) => {
  for (const answers of [0, 1]) {
    const { rig, answer } = askingRig()
    const sink = await rig.ask()
    for (let i = 0; i < answers; i++) await answer()
    sink.leave()
    await answer()
    await answer()
    t.equal(rig.calls.length, 0)
    t.equal(rig.record.outcome, 'client_gone')
    t.same(breaches(rig, [sink]), [], `after ${answers} answers`)
  }
})

test('a drain while the shared limiter is asked releases everything as well', async (t) => {
  for (const answers of [0, 1]) {
    const { rig, answer } = askingRig()
    const sink = await rig.ask()
    for (let i = 0; i < answers; i++) await answer()
    rig.pipeline.endAll()
    await answer()
    await answer()
    t.equal(rig.record.outcome, 'drained')
    t.same(breaches(rig, [sink]), [], `after ${answers} answers`)
  }
})

test('a request that was counted when it was accepted takes a slot and tokens, and no further request', async (t) => {
  const rig = new PipelineRig({ requestsPerMinute: 1, concurrency: 1 })
  const first = await rig.ask()
  rig.call.stream()
  await turn()
  t.equal(rig.record.outcome, 'complete')
  const counted = await rig.ask({ isCounted: true })
  t.equal(rig.limiter.slots, 1)
  rig.call.stream()
  await turn()
  t.equal(rig.record.outcome, 'complete')
  const third = await rig.ask()
  t.equal(third.answers[0]?.status, 429)
  t.same(breaches(rig, [first, counted, third]), [])
})
