// Before each attempt its budgets reserve what it may cost at its target's price; afterwards they have paid what it cost.
import { mock } from 'node:test'
import { test } from 'tap'
import { GatewayError } from '../../../src/errors.js'
import { type RouteTarget } from '../../../src/routing/router.js'
import { timeoutFailure } from '../../../src/upstream/failure.js'
import { RESETS_AT_MS } from '../../helpers/fake-desk.js'
import { type PipelineRig, turn } from '../../helpers/pipeline.js'
import { NO_PRICES } from '../../helpers/pipeline-config.js'
import { OPENAI, STREAMS } from '../../helpers/pipeline-wires.js'
import { MODELS, NOTHING, sentCap, setUpSpending as setUp } from '../../helpers/spending-rig.js'

const { head, content } = STREAMS[OPENAI]
const COUNTS = { provider: null, callerKey: null, streams: false, counts: true } as const

test('the input and the client’s cap are reserved at the price of the target, and what was used is paid', async (t) => {
  const { desk, rig } = setUp()
  await rig.ask()
  const [held] = desk.reservations
  const inputTokens = (held?.nano ?? 0) / 1000 - 2 * 100
  t.ok(inputTokens > 20 && inputTokens < 40, String(inputTokens))
  t.equal(desk.reserved.nano, held?.nano)
  rig.call.stream()
  await turn()
  t.same(desk.reserved, NOTHING)
  t.equal(desk.spent.nano, 11 * 1000 + 7 * 2000)
  t.equal(desk.spent.nano, rig.record.costNano)
})

test('the budgets of a request are found once, by its key and model', async (t) => {
  const { desk, rig } = setUp()
  await rig.ask({ model: 'pair' })
  rig.call.fail(new GatewayError('upstream_unreachable'))
  await turn()
  rig.call.stream()
  await turn()
  t.same(desk.spenders, [{ owner: 'd'.repeat(64), accountIndex: -1, model: 'pair', user: null }])
  t.equal(desk.reservations.length, 2)
})

test('a request without a budget reserves nothing', async (t) => {
  const { desk, rig } = setUp()
  desk.isAbsent = true
  await rig.ask()
  rig.call.stream()
  await turn()
  t.equal(rig.record.outcome, 'complete')
  t.same([desk.reservations, desk.settled], [[], []])
})

test('worst cases do not starve others: as much is reserved as the model usually needs', async (t) => {
  const { desk, rig } = setUp({ tokens: 1e9 })
  for (let i = 0; i < 30; i++) rig.learned.of({ provider: 'north', model: 'up' }).noteOutput(50, 0)
  const sink = await rig.ask({ body: { max_tokens: 64_000 } })
  t.ok((desk.reservations[0]?.tokens ?? 0) < 100, JSON.stringify(desk.reservations))
  sink.handle?.cancel()
  const whole = await rig.ask({ stream: false, body: { max_tokens: 64_000 } })
  t.ok((desk.reservations[1]?.tokens ?? 0) > 64_000, 'a whole answer runs unseen, so all of its cap is reserved')
  whole.handle?.cancel()
})

test('no request pins what is left: one that needs more than there is takes the rest, and gives it back', async (t) => {
  const { desk, rig } = setUp({ tokens: 500 })
  const sink = await rig.ask({ body: { max_tokens: 64_000 } })
  t.equal(desk.reserved.tokens, 500)
  sink.leave()
  await turn()
  t.same(desk.reserved, NOTHING)
  t.ok(desk.spent.tokens < 60)
})

test('a budget that is spent refuses: 429 with the end of its window, not to be repeated', async (t) => {
  for (const nano of [0, 40_000]) {
    const { desk, rig } = setUp({ nano })
    const sink = await rig.ask()
    const [answer] = sink.answers
    t.equal(answer?.status, 429)
    const { error } = sink.json as { error: { type: string; code: string; message: string } }
    t.match(error, { type: 'insufficient_quota', code: 'insufficient_quota' })
    t.ok(error.message.includes(new Date(RESETS_AT_MS).toISOString()), error.message)
    const headers = new Map(answer?.headers ?? [])
    t.equal(headers.get('x-should-retry'), 'false')
    t.notOk(headers.has('retry-after') || headers.has('retry-after-ms'))
    t.match(rig.record, { outcome: 'limit', error: { code: 'budget_exceeded' }, attempts: 0 })
    t.equal(rig.calls.length, 0)
    t.same(rig.metrics.attempts, [], 'the target has not failed')
    t.same(desk.reserved, NOTHING)
    t.equal(rig.limiter.providers.get(0), 0, 'its slot is free')
  }
})

test('exactly what is needed is enough, and one less is not', async (t) => {
  const { desk, rig } = setUp({ tokens: 1e6 })
  const body = { max_tokens: 16 }
  const probe = await rig.ask({ body })
  const needed = desk.reservations[0]?.tokens ?? 0
  probe.handle?.cancel()
  for (const tokens of [needed, needed - 1]) {
    const each = setUp({ tokens })
    const sink = await each.rig.ask({ body })
    t.equal(each.rig.calls.length, tokens === needed ? 1 : 0)
    sink.handle?.cancel()
  }
})

test('where the budgets are not known, a request waits for another day: 503', async (t) => {
  const { desk, rig } = setUp()
  desk.isUnavailable = true
  const sink = await rig.ask({ model: 'pair' })
  t.equal(sink.answers[0]?.status, 503)
  t.equal(new Map(sink.answers[0]?.headers ?? []).get('x-should-retry'), 'true')
  t.equal(rig.calls.length, 0)
})

test('where a budget can never be held as the gateway is configured, a retry is pointless: 503', async (t) => {
  const { desk, rig } = setUp()
  desk.isLasting = true
  const sink = await rig.ask({ model: 'pair' })
  t.equal(sink.answers[0]?.status, 503)
  t.equal(new Map(sink.answers[0]?.headers ?? []).get('x-should-retry'), 'false')
  t.match(Buffer.from(sink.answers[0]?.body ?? '').toString(), /The budget month cannot be held/)
  t.equal(rig.calls.length, 0)
})

test('an end user for whom there is no room is told so, and when there is: 429', async (t) => {
  const { desk, rig } = setUp()
  desk.isCrowded = true
  const sink = await rig.ask({ model: 'pair' })
  t.equal(sink.answers[0]?.status, 429)
  t.equal(new Map(sink.answers[0]?.headers ?? []).get('x-should-retry'), 'false')
  t.match(
    Buffer.from(sink.answers[0]?.body ?? '').toString(),
    /The budget month has as many end users as it can tell apart, .* It resets at \d{4}-/,
  )
})

test('what cannot be written down is not sent, and holds nothing: 503', async (t) => {
  const { desk, rig } = setUp()
  desk.isWritten = false
  const sink = await rig.ask({ model: 'pair' })
  await turn()
  t.equal(sink.answers[0]?.status, 503)
  t.equal(rig.calls.length, 0)
  t.same(desk.reserved, { nano: 0, tokens: 0 })
  t.same(desk.spent, { nano: 0, tokens: 0 })
})

test('a cheaper fallback may be paid where the first target cannot', async (t) => {
  const { desk, rig } = setUp({ nano: 20_000 })
  await rig.ask({ model: 'pair' })
  t.equal(rig.call.request.provider.name, 'south')
  rig.call.stream()
  await turn()
  t.equal(desk.spent.nano, 11 * 100 + 7 * 200)
})

test('a target without a price is never free under a budget in dollars', async (t) => {
  const { desk, rig } = setUp()
  const sink = await rig.ask({ model: 'other' })
  t.equal(sink.answers[0]?.status, 500)
  t.match(rig.record.error, { code: 'misconfigured', message: /No price is known for west\/up; a budget in dollars/ })
  t.same(desk.reservations, [])
  const tokens = setUp({ tokens: 1e6 })
  await tokens.rig.ask({ model: 'other' })
  tokens.rig.call.stream()
  await turn()
  t.equal(tokens.desk.spent.tokens, 18, 'a budget in tokens needs none')
})

test('what a provider refused, or never got, is given back; what it had and did not answer is paid', async (t) => {
  const ends: readonly (readonly [string, (rig: PipelineRig) => void, boolean])[] = [
    ['refused', (rig) => void rig.call.head(400).end(), false],
    ['never sent', (rig) => rig.call.fail(new GatewayError('upstream_unreachable')), false],
    ['not answered in time', (rig) => rig.call.fail(timeoutFailure('first-token', 5)), true],
    ['cut', (rig) => rig.call.head().send(head, content[0]).fail(new GatewayError('upstream_cut')), true],
  ]
  for (const [name, end, isPaid] of ends) {
    const { desk, rig } = setUp()
    await rig.ask()
    end(rig)
    await turn()
    t.same(desk.reserved, NOTHING, name)
    t.equal(desk.spent.nano > 0, isPaid, name)
    t.equal(desk.spent.nano, rig.record.costNano ?? 0, name)
  }
})

test('a client that reads all and leaves before the usage arrives pays for what it has read', async (t) => {
  const { desk, rig } = setUp()
  const sink = await rig.ask()
  rig.call.head().send(head, content[0].replace('Hel', 'x'.repeat(400)))
  await turn()
  sink.leave()
  await turn()
  t.ok(desk.spent.nano >= 100 * 2000, String(desk.spent.nano))
  t.same(desk.reserved, NOTHING)
})

test('of two attempts side by side each reserves and each is paid', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const { desk, rig } = setUp()
  await rig.ask({ model: 'hedged' })
  rig.call.head().send(head)
  rig.nowMs += 500
  mock.timers.tick(500)
  await turn()
  t.equal(desk.reservations.length, 2)
  rig.call.stream()
  await turn()
  t.equal(desk.settled.length, 2)
  t.equal(desk.spent.nano, rig.record.costNano)
  t.same(desk.reserved, NOTHING)
})

test('a hedge that cannot be paid is not sent, and the first attempt goes on', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const { desk, rig } = setUp(
    { nano: 240_000 },
    {
      prices: {
        ...NO_PRICES,
        enabled: true,
        models: { '*/*': { input: 1, output: 2 } },
        table: { version: 'test', lists: {} },
      },
    },
  )
  await rig.ask({ model: 'hedged' })
  rig.nowMs += 500
  mock.timers.tick(500)
  await turn()
  t.equal(rig.calls.length, 1)
  rig.call.stream()
  await turn()
  t.equal(rig.record.outcome, 'complete')
  t.same(desk.reserved, NOTHING)
})

test('a client that leaves while its request is encoded has reserved nothing afterwards', async (t) => {
  const { desk, rig } = setUp()
  rig.holds.add('encode')
  const sink = await rig.ask()
  t.ok(desk.reserved.nano > 0)
  sink.leave()
  await rig.release()
  t.same([desk.reserved, desk.spent], [NOTHING, NOTHING])
})

test('what costs the operator nothing reserves nothing', async (t) => {
  const { desk, rig } = setUp()
  const own = await rig.ask({ stream: false, path: { provider: 'north', callerKey: 'sk-own', streams: false } })
  t.equal(rig.calls.length, 1)
  own.handle?.cancel()
  const whole = { model: 'west/m', messages: [{ role: 'user', content: 'hi' }] }
  const counting = await rig.ask({ surface: 'anthropic-counts', whole, path: COUNTS })
  t.equal(rig.calls.length, 2)
  counting.handle?.cancel()
  t.same([desk.spenders, desk.reservations], [[], []])
})

test('embeddings reserve their input alone, and pay what their provider counts', async (t) => {
  const { desk, rig } = setUp({ nano: 1e9, tokens: 1e6 })
  await rig.ask({ surface: 'openai-embeddings', whole: { model: 'one', input: 'x'.repeat(400) } })
  t.ok((desk.reservations[0]?.tokens ?? 0) < 120)
  const answer = { object: 'list', data: [], model: 'up', usage: { prompt_tokens: 50, total_tokens: 50 } }
  rig.call.head(200, { 'content-type': 'application/json', 'content-length': '9' }).send(JSON.stringify(answer)).end()
  await turn()
  t.same(desk.spent, { nano: 50_000, tokens: 50 })
})

test('a request of unknown meaning is forbidden under a budget in dollars, and counted under one in tokens', async (t) => {
  const whole = { provider: 'north', path: '/anything', body: { model: 'up', input: 'hi' } }
  const { rig } = setUp()
  const sink = await rig.ask({ surface: 'raw-passthrough', whole })
  t.equal(sink.answers[0]?.status, 403)
  t.equal(rig.calls.length, 0)
  const tokens = setUp({ tokens: 1e6 })
  const other = await tokens.rig.ask({ surface: 'raw-passthrough', whole })
  t.equal(tokens.rig.calls.length, 1)
  other.handle?.cancel()
})

test('a stream with all that it wants keeps its own cap, and gets none', async (t) => {
  for (const cap of [64_000, null]) {
    const { rig } = setUp({ tokens: 1e9 })
    const sink = await rig.ask({ body: { max_tokens: cap } })
    t.equal(sentCap(rig), cap)
    sink.handle?.cancel()
  }
})

test('the cap that is sent is never more than what is left can pay', async (t) => {
  for (const stream of [true, false]) {
    for (const cap of [64_000, null]) {
      const { desk, rig } = setUp({ nano: 500_000 })
      const sink = await rig.ask({ stream, body: { max_tokens: cap } })
      const sent = Number(sentCap(rig))
      const input = rig.pipeline.listOpen()[0]?.decoded?.estimatedTokens ?? 0
      t.ok(sent > 200 && input * 1000 + sent * 2000 <= 500_000, `${sent}`)
      t.equal(desk.left().nano, 0)
      sink.handle?.cancel()
    }
  }
})

test('a whole answer runs unseen: it is capped by what is reserved for all that it asks for', async (t) => {
  const { desk, rig } = setUp({ tokens: 1e9 })
  const whole = await rig.ask({ stream: false, body: { max_tokens: null } })
  t.equal(sentCap(rig), 16_384)
  whole.handle?.cancel()
  const several = await rig.ask({ body: { max_tokens: 1000, n: 3 } })
  t.ok((desk.reservations[1]?.tokens ?? 0) > 3000)
  t.equal(sentCap(rig), 1000)
  several.handle?.cancel()
  const scarce = setUp({ tokens: 320 })
  const sink = await scarce.rig.ask({ body: { max_tokens: 1000, n: 3 } })
  const cap = Number(sentCap(scarce.rig))
  t.ok(cap > 80 && cap * 3 < 320, `${cap}: a third of what is left for each answer`)
  sink.handle?.cancel()
})

test('a cap too small for the target is a refusal, and leaves nothing reserved', async (t) => {
  const { desk, rig } = setUp({ tokens: 600 })
  const body = { max_tokens: 8000, thinking: { type: 'enabled', budget_tokens: 4000 } }
  const sink = await rig.ask({ surface: 'anthropic-messages', model: 'other', body })
  t.equal(sink.answers[0]?.status, 429)
  t.equal(rig.record.error?.code, 'budget_exceeded')
  t.equal(rig.calls.length, 0)
  t.same(desk.reserved, NOTHING)
})

test('completions are capped as well', async (t) => {
  const { rig } = setUp({ tokens: 200 })
  const whole = { model: 'one', prompt: 'Hi there', max_tokens: 1000 }
  const sink = await rig.ask({ surface: 'openai-completions', whole })
  t.ok(Number(sentCap(rig)) > 100 && Number(sentCap(rig)) < 200)
  sink.handle?.cancel()
})

test('a model that thinks unseen is capped by what is reserved, though its answer streams', async (t) => {
  for (const hides of [true, false]) {
    const { rig } = setUp({ tokens: 1e9 })
    const dialect = rig.parts.dialects.get(OPENAI)
    if (dialect === undefined) throw new Error('no dialect')
    Object.assign(rig.parts, { dialects: new Map([[OPENAI, { ...dialect, hidesThinking: () => hides }]]) })
    Object.assign(rig.parts.thinking, {
      recall: (routed: RouteTarget) => ({ ...routed, target: { ...routed.target, thinks: true } }),
    })
    const sink = await rig.ask({ body: { max_tokens: null } })
    t.equal(sentCap(rig), hides ? 32_768 : null)
    sink.handle?.cancel()
  }
})

test('the end user is known by the word of a trusted key alone', async (t) => {
  for (const trustUser of [true, false]) {
    const limits = { requestsPerMinute: null, tokensPerMinute: null, concurrency: null }
    const account = {
      ...{ id: 'key_1', name: 'app', team: null, models: ['*'], limits, tags: [] },
      ...{ trustUser, disabled: false, expiresAtMs: null },
    }
    const listed = { account, index: 0, version: 1, teamPlace: null }
    const find = { isStale: false, find: () => null, byIndex: () => listed, byId: () => listed, byName: () => listed }
    const { desk, rig } = setUp({ nano: 1e9 }, { accounts: { ...find, nowMs: () => 0, noteUsed: () => undefined } })
    const key = { index: 0, name: 'app', owner: 'key_1', account }
    const sink = await rig.ask({ key, body: { user: 'anna' } })
    t.match(desk.spenders, [{ owner: 'key_1', accountIndex: 0, user: trustUser ? 'anna' : null }])
    sink.handle?.cancel()
  }
})

test('a cap beyond what any model writes does not hold all of a budget', async (t) => {
  for (const [contextTokens, most] of [
    [undefined, 131_072],
    [8000, 8000],
  ] as const) {
    const { desk, rig } = setUp({ tokens: 1e9 }, contextTokens === undefined ? {} : { contextTokens })
    const sink = await rig.ask({ stream: false, body: { max_tokens: 900_000 } })
    t.ok((desk.reservations[0]?.tokens ?? 0) < most + 100)
    const sent = Number(sentCap(rig))
    t.ok(sent <= most && sent > most - 100, `${sent}: what is sent is what is reserved`)
    sink.handle?.cancel()
  }
})

test('the text of a library prompt is reserved once', async (t) => {
  const reserved: number[] = []
  for (const text of ['short', 'x'.repeat(4000)]) {
    const { desk, rig } = setUp({ tokens: 1e9 }, { prompts: { 'pl/conversation': text } })
    const whole = { model_name: 'one', user_last_statement: 'Hi', language: 'pl' }
    const sink = await rig.ask({ surface: 'conversation', whole })
    reserved.push(desk.reservations[0]?.tokens ?? 0)
    sink.handle?.cancel()
  }
  const [short = 0, long = 0] = reserved
  t.ok(short > 0 && Math.abs(long - short - 1000) < 20, reserved.join(' '))
})

test('a rare long answer is not cut because most are short', async (t) => {
  const { rig } = setUp({ tokens: 1e9 })
  const use = rig.learned.of({ provider: 'north', model: 'up' })
  for (let i = 0; i < 30; i++) use.noteOutput(50, 0)
  const short = await rig.ask({ stream: false, body: { max_tokens: null } })
  t.equal(sentCap(rig), 16_384)
  short.handle?.cancel()
  for (let i = 0; i < 1000; i++) use.noteOutput(8000, 0)
  const long = await rig.ask({ stream: false, body: { max_tokens: null } })
  t.ok(Number(sentCap(rig)) >= 32_000)
  long.handle?.cancel()
})

test('a class of service is reserved for where it is asked for, and once the provider has served with it', async (t) => {
  const prices = {
    ...{ ...NO_PRICES, enabled: true, models: MODELS, table: { version: 'test', lists: {} } },
    serviceTiers: { 'north/*': { priority: 2, flex: 0.5 } },
  }
  const { desk, rig } = setUp({}, { prices })
  const reserved = async (service_tier?: string) => {
    const sink = await rig.ask({ body: service_tier === undefined ? {} : { service_tier } })
    const { nano = 0 } = desk.reservations.at(-1) ?? {}
    sink.handle?.cancel()
    return nano
  }
  const usual = await reserved()
  const [flex, priority] = [await reserved('flex'), await reserved('priority')]
  t.ok(flex >= usual && flex < usual * 1.1, 'it may be served with the usual one')
  t.ok(priority > usual * 1.9, `${usual} ${priority}`)
  const before = desk.spent.nano
  await rig.ask()
  const { finish, marker } = STREAMS[OPENAI]
  rig.call.head().send(head, content[0], finish.replaceAll('"id"', '"service_tier":"priority","id"'), marker)
  rig.call.end()
  await turn()
  t.equal(desk.spent.nano - before, 2 * (11 * 1000 + 7 * 2000), 'at the price of the class that served it')
  t.ok((await reserved()) > usual * 1.9, 'its account may have it by default')
})

test('images and audio are reserved for by what the request says of them', async (t) => {
  const models = { 'north/*': { input: 1, output: 2, image: 0.05, audioMinute: 0.6 } }
  const prices = { ...NO_PRICES, enabled: true, models, table: { version: 'test', lists: {} } }
  const { desk, rig } = setUp({}, { prices })
  const whole = { model: 'one', prompt: 'A river', n: 3 }
  const sink = await rig.ask({ surface: 'openai-image-generations', whole })
  const [held] = desk.reservations
  t.ok((held?.nano ?? 0) >= 150_000_000 + 3 * 8192 * 2000, JSON.stringify(held))
  rig.call.head(200, { 'content-type': 'application/json', 'content-length': '9' })
  rig.call.send(JSON.stringify({ created: 1, data: [{ url: 'a' }, { url: 'b' }] })).end()
  await turn()
  t.equal(desk.spent.nano, 100_000_000)
  t.same(desk.reserved, NOTHING)
  sink.handle?.cancel()
  const spoken = { model: 'one', file: 'x'.repeat(5000) }
  const heard = await rig.ask({ surface: 'openai-transcriptions', whole: spoken })
  t.ok((desk.reservations.at(-1)?.nano ?? 0) >= 100_000_000, 'ten seconds at least')
  rig.call.head(200, { 'content-type': 'application/json', 'content-length': '9' })
  rig.call.send(JSON.stringify({ text: 'x', usage: { type: 'duration', seconds: 3 } })).end()
  await turn()
  t.equal(desk.spent.nano, 130_000_000)
  heard.handle?.cancel()
})
