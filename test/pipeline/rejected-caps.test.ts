// A cap that a provider refuses is lowered and remembered; what the client has asked for itself is the client's.
import { test } from 'tap'
import { GatewayError } from '../../src/errors.js'
import { type PipelineRig, turn } from '../helpers/pipeline.js'
import { NO_PRICES } from '../helpers/pipeline-config.js'
import { NOTHING, sentCap, setUpSpending as setUp } from '../helpers/spending-rig.js'

/** Answers the call with a refusal in the words of a provider. */
async function reject(rig: PipelineRig, message: string, status = 400): Promise<void> {
  rig.call
    .head(status)
    .send(JSON.stringify({ error: { message, type: 'invalid_request_error' } }))
    .end()
  await turn()
}

const WHOLE = { stream: false, body: { max_tokens: null } } as const
const TOO_LARGE = (sent: unknown, most: number) =>
  `max_tokens is too large: ${sent}. This model supports at most ${most} completion tokens, whereas you provided ${sent}.`

test('a cap above the most that the model writes is never the client’s failure: it is lowered, once for all', async (t) => {
  const { desk, rig } = setUp({ tokens: 1e9 })
  const sink = await rig.ask(WHOLE)
  await reject(rig, TOO_LARGE(sentCap(rig), 4096))
  t.equal(sentCap(rig), 4096)
  t.equal(rig.calls.length, 2)
  t.ok((desk.reserved.tokens ?? 0) < 4096 + 100, 'no more is reserved than it can write')
  sink.handle?.cancel()
  const next = await rig.ask(WHOLE)
  t.equal(sentCap(rig), 4096, 'remembered')
  t.equal(rig.calls.length, 3)
  next.handle?.cancel()
  t.same(desk.reserved, NOTHING)
})

test('the most of a model that the configuration or the price list names needs no refusal', async (t) => {
  const listed = { 'north/*': { input: 1, output: 2, maxOutputTokens: 8192 } }
  for (const [options, most] of [
    [{ maxOutputTokens: 4096 }, 4096],
    [{ prices: { ...NO_PRICES, enabled: true, models: listed, table: { version: 'test', lists: {} } } }, 8192],
  ] as const) {
    const { desk, rig } = setUp({ tokens: 1e9 }, options)
    const sink = await rig.ask(WHOLE)
    t.equal(sentCap(rig), most)
    t.ok((desk.reserved.tokens ?? 0) < most + 100)
    sink.handle?.cancel()
  }
})

test('a list that is behind does not lower a cap that the client has set; what the operator or the provider says does', async (t) => {
  const models = { 'north/*': { input: 1, output: 2, maxOutputTokens: 4096 } }
  const prices = { ...NO_PRICES, enabled: true, models, table: { version: 'test', lists: {} } }
  for (const [options, sent] of [
    [{ prices }, 9000],
    [{ maxOutputTokens: 4096 }, 4096],
  ] as const) {
    const { rig } = setUp({ tokens: 1e9 }, options)
    const sink = await rig.ask({ stream: false, body: { max_tokens: 9000 } })
    t.equal(sentCap(rig), sent)
    sink.handle?.cancel()
  }
})

test('a provider that does not say what it accepts gets half, and that is remembered too', async (t) => {
  const { rig } = setUp({ tokens: 1e9 })
  const sink = await rig.ask(WHOLE)
  await reject(rig, 'The value of max_tokens is too large.')
  await reject(rig, 'The value of max_tokens is too large.', 422)
  t.equal(sentCap(rig), 4096)
  sink.handle?.cancel()
  const next = await rig.ask(WHOLE)
  t.equal(sentCap(rig), 4096)
  for (let i = 0; i < 5; i++) await reject(rig, 'The value of max_tokens is too large.')
  t.equal(next.answers[0]?.status, 400, 'and not for ever')
  t.equal(rig.calls.length, 8)
})

test('a cap that leaves no room for the input is lowered to the room that there is', async (t) => {
  const { rig } = setUp({ tokens: 1e9 })
  const sink = await rig.ask(WHOLE)
  const words = (input: number, output: number) =>
    `This model's maximum context length is 8192 tokens. However, you requested ${input + output} tokens ` +
    `(${input} in the messages, ${output} in the completion). Please reduce the length of the messages or completion.`
  await reject(rig, words(16, 16_384))
  const cap = Number(sentCap(rig))
  t.ok(cap > 8000 && cap <= 8176, String(cap))
  sink.handle?.cancel()
  const long = { ...WHOLE, body: { ...WHOLE.body, messages: [{ role: 'user', content: 'word '.repeat(4000) }] } }
  const next = await rig.ask(long)
  t.equal(sentCap(rig), 4096, 'half of the context, since the estimate of the input may be too high')
  await reject(rig, words(5000, 4096))
  t.equal(sentCap(rig), 3192, 'exactly what is left')
  next.handle?.cancel()
  const short = await rig.ask(WHOLE)
  t.ok(Number(sentCap(rig)) > 8000, 'that was of one request alone')
  short.handle?.cancel()
})

test('the client’s own cap, and any other refusal, is the client’s', async (t) => {
  const { rig } = setUp({ tokens: 1e9 })
  const own = await rig.ask({ stream: false, body: { max_tokens: 9000 } })
  await reject(rig, TOO_LARGE(9000, 4096))
  t.equal(own.answers[0]?.status, 400)
  const other = await rig.ask(WHOLE)
  await reject(rig, 'messages.0.content is not valid')
  t.equal(other.answers[0]?.status, 400)
  t.equal(rig.calls.length, 2)
})

test('what one target accepts is no cap for another one', async (t) => {
  const { rig } = setUp({ tokens: 1e9 })
  const sink = await rig.ask({ ...WHOLE, model: 'pair' })
  await reject(rig, TOO_LARGE(16_384, 4096))
  rig.call.fail(new GatewayError('upstream_unreachable'))
  await turn()
  t.equal(rig.call.request.provider.name, 'south')
  t.equal(sentCap(rig), 16_384)
  sink.handle?.cancel()
})

test('a token’s own cap above the most of the model is lowered as well, without a budget', async (t) => {
  const { desk, rig } = setUp()
  desk.isAbsent = true
  const digest = Buffer.alloc(32)
  const token = { digest, expiresAtMs: 1e12, models: ['*'], maxOutputTokens: 10_000, origin: null, user: null }
  const key = { index: 0, name: 'app', owner: 'd'.repeat(64), token }
  const sink = await rig.ask({ ...WHOLE, key })
  await reject(rig, TOO_LARGE(sentCap(rig), 4096))
  t.equal(sentCap(rig), 4096)
  sink.handle?.cancel()
})
