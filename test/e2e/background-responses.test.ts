// Answers that run without their client, by the official client: queued, polled, cancelled, and streamed to clients that come and go.
import OpenAI from 'openai'
import { type Test, test } from 'tap'
import { type Running, simulatedProviders, startGateway, startSimulator, type Teardown } from '../helpers/gateway.js'
import { rejectsWith } from '../helpers/rejects.js'

const KEY = 'test-key-0123456789abcdef'
const OTHER_KEY = 'other-key-0123456789abcdef'
const PROVIDERS = ['responses', 'openai', 'anthropic', 'google', 'ollama'] as const

type Answer = OpenAI.Responses.Response

async function start(t: Teardown, config: object = {}, args: string[] = []) {
  const simulator = await startSimulator(t, args)
  const keys = [
    { name: 'test', key: KEY },
    { name: 'other', key: OTHER_KEY },
  ]
  const gateway = await startGateway(t, {
    config: { keys, providers: simulatedProviders(simulator.origin), ...config },
  })
  return { gateway, client: clientOf(gateway), other: clientOf(gateway, OTHER_KEY) }
}

function clientOf(gateway: Running, apiKey = KEY): OpenAI {
  return new OpenAI({ apiKey, baseURL: `${gateway.origin}/v1`, maxRetries: 0 })
}

/** Polls until the answer is in one of these states; bounded. */
async function poll(client: OpenAI, id: string, states: readonly string[]): Promise<Answer> {
  let found = await client.responses.retrieve(id)
  for (let i = 0; i < 600 && !states.includes(String(found.status)); i++) {
    await new Promise((resolve) => setTimeout(resolve, 50))
    found = await client.responses.retrieve(id)
  }
  return found
}

const OVER = ['completed', 'incomplete', 'failed', 'cancelled']

test('an answer is queued at once, runs without its client, and is continued like any other', async (t) => {
  const { client } = await start(t)
  for (const provider of PROVIDERS) {
    const request = { model: `${provider}/echo`, input: 'Hello there', background: true, metadata: { team: 'a' } }
    const queued = await client.responses.create(request)
    t.match(queued, { status: 'queued', background: true, output: [], metadata: { team: 'a' } }, provider)
    const done = await poll(client, queued.id, OVER)
    t.match(done, { id: queued.id, status: 'completed', background: true }, provider)
    t.equal(done.output_text, 'Hello there')
    const next = await client.responses.create({
      ...{ model: `${provider}/echo`, input: 'And?', background: true, previous_response_id: done.id },
    })
    t.equal(next.previous_response_id, done.id)
    t.match(await poll(client, next.id, OVER), { status: 'completed', previous_response_id: done.id })
    const items = await client.responses.inputItems.list(next.id, { order: 'asc' })
    t.equal(items.data.length, 3, `${provider} has the earlier turns`)
  }
})

test('what fails is failed, with its error, and a bad request is refused at once', async (t) => {
  const { client } = await start(t)
  const failing = await client.responses.create({
    ...{ model: 'openai/lorem-max+fault=status,422', input: 'x', background: true },
  })
  const failed = await poll(client, failing.id, OVER)
  t.match(failed, { status: 'failed', error: { message: /./ }, output: [] })
  const refused = (over: object, wanted: object) =>
    rejectsWith(t, client.responses.create({ model: 'openai/echo', input: 'x', background: true, ...over }), wanted)
  await refused({ store: false }, { status: 400, param: 'background' })
  await refused({ model: 'nobody/nothing' }, { status: 404, code: 'model_not_found' })
  await refused({ previous_response_id: 'resp_1' }, { status: 400, code: 'previous_response_not_found' })
  await refused({ input: 7 }, { status: 400, param: 'input' })
  const keyed = client.responses.create(
    { model: 'openai/echo', input: 'x', background: true },
    { headers: { 'idempotency-key': 'k1' } },
  )
  await rejectsWith(t, keyed, { status: 400, param: 'Idempotency-Key' })
  const { client: storeless } = await start(t, { responses: { store: 'off' } })
  await rejectsWith(t, storeless.responses.create({ model: 'openai/echo', input: 'x', background: true }), {
    ...{ status: 400, param: 'background' },
  })
})

test('a cancelled answer stops its provider, says so, and stays cancelled', async (t) => {
  const { client, other, gateway } = await start(t, {}, ['--tokens-per-second', '20'])
  const request = { model: 'openai/lorem-max', input: 'Go on', max_output_tokens: 2000, background: true }
  const { id } = await client.responses.create(request)
  t.match(await poll(client, id, ['in_progress']), { status: 'in_progress', background: true })
  await rejectsWith(t, other.responses.cancel(id), { status: 404 })
  t.match(await client.responses.cancel(id), { id, status: 'cancelled', output: [] })
  const line = await gateway.logLine(({ outcome }) => outcome === 'client_gone')
  t.equal(line.outcome, 'client_gone', 'its upstream is stopped')
  t.match(await client.responses.retrieve(id), { status: 'cancelled' })
  t.match(await client.responses.cancel(id), { status: 'cancelled' }, 'a second time changes nothing')
  const sync = await client.responses.create({ model: 'openai/echo', input: 'x' })
  await rejectsWith(t, client.responses.cancel(sync.id), { status: 400 })
  await rejectsWith(t, client.responses.cancel('resp_1'), { status: 404 })
})

test('a deleted answer does not come back when its run ends', async (t) => {
  const { client, gateway } = await start(t, {}, ['--tokens-per-second', '20'])
  const request = { model: 'openai/lorem-max', input: 'Go on', max_output_tokens: 2000, background: true }
  const { id } = await client.responses.create(request)
  await poll(client, id, ['in_progress'])
  await client.responses.delete(id)
  await gateway.logLine(({ outcome }) => outcome === 'client_gone')
  await rejectsWith(t, client.responses.retrieve(id), { status: 404 })
})

test('so many run at once, the others wait in their order, and more than may wait are refused', async (t) => {
  const background = { concurrency: 1, maxPending: 3, maxPendingPerKey: 2 }
  const { client, other } = await start(t, { responses: { background } }, ['--tokens-per-second', '20'])
  const ask = (from: OpenAI) =>
    from.responses.create({ model: 'openai/lorem-max', input: 'x', max_output_tokens: 2000, background: true })
  const first = await ask(client)
  const second = await ask(client)
  await poll(client, first.id, ['in_progress'])
  t.equal((await client.responses.retrieve(second.id)).status, 'queued')
  await rejectsWith(t, ask(client), { status: 429 })
  const third = await ask(other)
  await rejectsWith(t, ask(other), { status: 503 })
  t.match(await client.responses.cancel(second.id), { status: 'cancelled' }, 'one that waits')
  const fourth = await ask(client)
  t.equal(fourth.status, 'queued', 'its place is free at once')
  await client.responses.cancel(first.id)
  t.match(await poll(other, third.id, ['in_progress']), { status: 'in_progress' })
  t.equal((await client.responses.retrieve(second.id)).status, 'cancelled')
  await other.responses.cancel(third.id)
  await client.responses.cancel(fourth.id)
})

test('a stream goes on when its client leaves, and its answer is stored', async (t) => {
  const { client } = await start(t, { streams: { graceMs: 0 } }, ['--tokens-per-second', '100'])
  for (const provider of PROVIDERS) {
    const id = await leaveAfter(t, client, { model: `${provider}/lorem-max`, tokens: 60, events: 8 })
    const done = await poll(client, id, OVER)
    t.match(done, { status: 'incomplete', background: true }, provider)
    t.ok(done.output_text.length > 200, `${provider} ${done.output_text.length}`)
  }
})

type Leaving = { readonly model: string; readonly tokens: number; readonly events: number }

/** Begins a stream in the background and leaves it after so many events. */
async function leaveAfter(t: Test, client: OpenAI, { model, tokens, events }: Leaving): Promise<string> {
  const stream = await client.responses.create({
    ...{ model, input: 'Go on', max_output_tokens: tokens, background: true, stream: true as const },
  })
  let id = ''
  let seen = 0
  for await (const event of stream) {
    if (event.type === 'response.created') id = event.response.id
    seen += 1
    if (seen === events) break
  }
  t.match(id, /^resp_/)
  return id
}

test('an event loop that does not run an answer cancels it all the same', async (t) => {
  const { client, gateway } = await start(t, { server: { threads: 3 } }, ['--tokens-per-second', '20'])
  const ids: string[] = []
  for (let i = 0; i < 6; i++) {
    const request = { model: 'openai/lorem-max', input: 'x', max_output_tokens: 2000, background: true }
    const { id } = await client.responses.create(request, { headers: { connection: 'close' } })
    ids.push(id)
    await poll(client, id, ['in_progress'])
  }
  for (const id of ids) {
    t.match(await client.responses.cancel(id, { headers: { connection: 'close' } }), { status: 'cancelled' })
  }
  const isGone = (line: { outcome?: string }) => line.outcome === 'client_gone'
  for (let i = 0; i < 200 && gateway.lines.filter(isGone).length < ids.length; i++) {
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  t.equal(gateway.lines.filter(isGone).length, ids.length, 'all are stopped')
  for (const id of ids) t.equal((await client.responses.retrieve(id)).status, 'cancelled')
})

type Event = OpenAI.Responses.ResponseStreamEvent

async function eventsOf(stream: AsyncIterable<Event>): Promise<Event[]> {
  const events: Event[] = []
  for await (const event of stream) events.push(event)
  return events
}

test('a stream says at once that its answer waits, and a client may come for the events of one that has not begun', async (t) => {
  const { client } = await start(t, { responses: { background: { concurrency: 1 } } }, ['--tokens-per-second', '50'])
  for (const provider of ['responses', 'anthropic']) {
    const request = { model: `${provider}/lorem-max`, input: 'Go on', max_output_tokens: 20, background: true }
    const first = await client.responses.create({ ...request, max_output_tokens: 2000 })
    await poll(client, first.id, ['in_progress'])
    const stream = await client.responses.create({ ...request, stream: true as const })
    const events: Event[] = []
    let later: Promise<Event[]> | null = null
    for await (const event of stream) {
      events.push(event)
      if (event.type !== 'response.queued') continue
      t.match(event.response, { status: 'queued', background: true })
      t.match(await client.responses.retrieve(event.response.id), { status: 'queued' })
      const again = await client.responses.retrieve(event.response.id, { stream: true, starting_after: 0 })
      later = eventsOf(again)
      await client.responses.cancel(first.id)
    }
    t.same(
      events.slice(0, 4).map(({ type }) => type),
      ['response.created', 'response.queued', 'response.in_progress', 'response.output_item.added'],
      provider,
    )
    t.equal(events.at(-1)?.type, 'response.incomplete')
    t.same(
      events.map((event) => event.sequence_number),
      events.map((_, i) => i),
    )
    t.same(await later, events.slice(1))
  }
})

test('a stream whose run fails before its first event says so, and so does one that is cancelled', async (t) => {
  const { client } = await start(t, { responses: { background: { concurrency: 1 } } }, ['--tokens-per-second', '20'])
  const base = { input: 'x', background: true, stream: true as const }
  const failing = await client.responses.create({ ...base, model: 'openai/lorem-max+fault=status,422' })
  await rejectsWith(t, eventsOf(failing), /./)
  const running = await client.responses.create({
    ...{ model: 'openai/lorem-max', input: 'x', max_output_tokens: 2000, background: true },
  })
  await poll(client, running.id, ['in_progress'])
  const waiting = await client.responses.create({ ...base, model: 'openai/lorem-max' })
  const read = async (): Promise<void> => {
    for await (const event of waiting) {
      if (event.type === 'response.queued') await client.responses.cancel(event.response.id)
    }
  }
  await rejectsWith(t, read(), /was cancelled/)
  await client.responses.cancel(running.id)
})

test('a client comes back to the events of an answer after the last one that it has, while it runs and later', async (t) => {
  const { client, other } = await start(t, {}, ['--tokens-per-second', '100'])
  for (const provider of PROVIDERS) {
    const id = await leaveAfter(t, client, { model: `${provider}/lorem-max`, tokens: 60, events: 8 })
    const rest = await eventsOf(await client.responses.retrieve(id, { stream: true, starting_after: 7 }))
    t.equal(rest[0]?.sequence_number, 8, `${provider} goes on with the next one`)
    t.equal(rest.at(-1)?.type, 'response.incomplete', 'to the end')
    const all = await eventsOf(await client.responses.retrieve(id, { stream: true }))
    t.same(
      all.map((event) => event.sequence_number),
      all.map((_, i) => i),
      'all of them, each once',
    )
    t.same(all.slice(8), rest)
    const last = all.at(-1)
    const found = await client.responses.retrieve(id)
    t.same(last !== undefined && 'response' in last ? last.response.output : null, found.output)
    const none = await eventsOf(await client.responses.retrieve(id, { stream: true, starting_after: all.length - 1 }))
    t.same(none, [], 'nothing after the last one')
    await rejectsWith(t, other.responses.retrieve(id, { stream: true }), { status: 404 })
  }
})

test('a stream that is kept in front of its client is found by the id of its answer as well', async (t) => {
  const { client } = await start(t, {}, ['--tokens-per-second', '100'])
  const stream = await client.responses.create(
    { model: 'anthropic/lorem-max', input: 'Go on', max_output_tokens: 60, stream: true },
    { headers: { 'x-sluice-resume': '1' } },
  )
  let id = ''
  for await (const event of stream) {
    if (event.type === 'response.created') id = event.response.id
    if (event.sequence_number === 9) break
  }
  t.match(await client.responses.retrieve(id), { status: 'in_progress', background: false })
  const rest = await eventsOf(await client.responses.retrieve(id, { stream: true, starting_after: 9 }))
  t.equal(rest[0]?.sequence_number, 10)
  t.equal(rest.at(-1)?.type, 'response.incomplete')
  t.equal((await client.responses.retrieve(id)).status, 'incomplete')
})

test('events that are not held are 410, and the answer is found all the same', async (t) => {
  const { client } = await start(t, { streams: { keepMs: 0 } })
  const { id } = await client.responses.create({ model: 'openai/echo', input: 'Hi' })
  await rejectsWith(t, client.responses.retrieve(id, { stream: true }), { status: 410, code: 'stream_gone' })
  const stream = await client.responses.create({ model: 'openai/echo', input: 'Hi', background: true, stream: true })
  const [first] = await eventsOf(stream)
  const kept = first !== undefined && 'response' in first ? first.response.id : ''
  await poll(client, kept, OVER)
  let refused: unknown = null
  for (let i = 0; i < 100 && refused === null; i++) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    refused = await client.responses.retrieve(kept, { stream: true }).then(eventsOf, (thrown: unknown) => thrown)
    if (Array.isArray(refused)) refused = null
  }
  t.match(refused, { status: 410, code: 'stream_gone' })
  t.equal((await client.responses.retrieve(kept)).output_text, 'Hi')
  for (const startingAfter of ['x', '-1']) {
    const asked = client.responses.retrieve(kept, { stream: true, starting_after: startingAfter as never })
    await rejectsWith(t, asked, { status: 400, param: 'starting_after' })
  }
})

test('a stream that fails in the background is stored as failed, and its readers get the error', async (t) => {
  const { client } = await start(t)
  const stream = await client.responses.create({
    ...{ model: 'openai/lorem-max+fault=error-frame,4', input: 'x', background: true, stream: true as const },
  })
  let id = ''
  const read = async (): Promise<void> => {
    for await (const event of stream) if (event.type === 'response.created') id = event.response.id
  }
  await rejectsWith(t, read(), /Simulated failure/)
  t.match(await poll(client, id, OVER), { status: 'failed', error: { message: /Simulated failure/ } })
  const again = client.responses.retrieve(id, { stream: true, starting_after: 0 })
  await rejectsWith(t, again.then(eventsOf), /Simulated failure/)
})
