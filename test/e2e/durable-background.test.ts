// Answers that run without their client as jobs, by the official client: over kills and drains on one file, and over two nodes on a Redis.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import OpenAI from 'openai'
import { type Test, t as tap, test } from 'tap'
import { type Running, simulatedProviders, startGateway, startSimulator, type Teardown } from '../helpers/gateway.js'
import { RedisServer } from '../helpers/redis.js'
import { rejectsWith } from '../helpers/rejects.js'

const KEY = 'test-key-0123456789abcdef'
const PROVIDER_KEY = 'sk-upstream-slow-secret'
const KEYS = [{ name: 'test', key: KEY }]
const OVER = ['completed', 'incomplete', 'failed', 'cancelled']
/** Each request on a connection of its own, so that all event loops take part. */
const APART = { headers: { connection: 'close' } }

const fast = await startSimulator(tap)
const slow = await startSimulator(tap, ['--tokens-per-second', '20'])
const PROVIDERS = {
  ...simulatedProviders(fast.origin),
  slow: { protocol: 'openai-responses', baseUrl: `${slow.origin}/v1`, apiKey: PROVIDER_KEY },
}
const LASTING = { model: 'slow/lorem-max', input: 'Go on', max_output_tokens: 5000, background: true }
const SHORT = { ...LASTING, max_output_tokens: 40 }
const QUICK = { model: 'anthropic/echo', input: 'Hello there', background: true }

type Event = OpenAI.Responses.ResponseStreamEvent

function clientOf({ origin }: Running): OpenAI {
  return new OpenAI({ apiKey: KEY, baseURL: `${origin}/v1`, maxRetries: 0 })
}

function start(t: Teardown, config: object): Promise<Running> {
  return startGateway(t, { config: { keys: KEYS, providers: PROVIDERS, ...config } })
}

/** Polls until the answer is in one of these states; bounded. */
async function poll(client: OpenAI, id: string, states: readonly string[]): Promise<OpenAI.Responses.Response> {
  let found = await client.responses.retrieve(id)
  for (let i = 0; i < 600 && !states.includes(String(found.status)); i++) {
    await new Promise((resolve) => setTimeout(resolve, 50))
    found = await client.responses.retrieve(id)
  }
  return found
}

/** Begins a stream and leaves it after the first event of this type; the id of its answer. */
async function leaveAt(client: OpenAI, request: object, type: string): Promise<string> {
  const stream = await client.responses.create({ ...LASTING, ...request, stream: true as const }, APART)
  let id = ''
  for await (const event of stream) {
    if (event.type === 'response.created') id = event.response.id
    if (event.type === type) break
  }
  return id
}

async function typesOf(stream: AsyncIterable<Event>): Promise<string[]> {
  const types: string[] = []
  for await (const event of stream) types.push(event.type)
  return types
}

function runOf(job: string) {
  return (line: { readonly [field: string]: unknown }): boolean => line.job === job && line.result !== undefined
}

function checkSecrets(t: Test, folder: string): void {
  for (const file of readdirSync(folder)) {
    const text = readFileSync(join(folder, file), 'latin1')
    for (const secret of [KEY, PROVIDER_KEY]) t.notOk(text.includes(secret), `${file} has no key`)
  }
}

test('a kill loses no answer: what waited runs, what nobody saw runs again, what had events has failed', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-background-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const config = {
    server: { threads: 2, drainMs: 300 },
    jobs: { path: join(folder, 'jobs.db') },
    responses: { store: 'sqlite', path: join(folder, 'responses.db'), background: { concurrency: 2 } },
  }
  const first = await start(t, config)
  const before = clientOf(first)
  const seen = await leaveAt(before, LASTING, 'response.output_text.delta')
  const unseen = (await before.responses.create(SHORT, APART)).id
  await poll(before, unseen, ['in_progress'])
  const waiting = (await before.responses.create(QUICK, APART)).id
  const watched = await leaveAt(before, QUICK, 'response.queued')
  const unwanted = (await before.responses.create(QUICK, APART)).id
  t.match(await before.responses.cancel(unwanted), { status: 'cancelled' })
  t.match(await before.responses.retrieve(waiting), { status: 'queued', background: true })
  await first.stop('SIGKILL')
  checkSecrets(t, folder)

  const second = await start(t, config)
  const after = clientOf(second)
  t.match(await after.responses.retrieve(seen), { status: 'failed', error: { code: 'upstream_cut' } })
  const rest = typesOf(await after.responses.retrieve(watched, { stream: true, starting_after: 1 }, APART))
  t.match(await poll(after, waiting, OVER), { status: 'completed', output_text: 'Hello there' })
  t.match(await poll(after, watched, OVER), { status: 'completed', output_text: 'Hello there' })
  const types = await rest
  t.same([types[0], types.at(-1)], ['response.in_progress', 'response.completed'], 'its client comes back to all of it')
  t.match(await poll(after, unseen, OVER), { status: 'incomplete', background: true })
  t.match(await second.logLine(runOf(unseen)), { result: 'completed', attempts: 2 })
  t.match(await after.responses.retrieve(unwanted), { status: 'cancelled' })
  t.notOk(second.lines.some(runOf(unwanted)))

  const cancelled = await leaveAt(after, LASTING, 'response.output_text.delta')
  const deleted = (await after.responses.create(LASTING, APART)).id
  await poll(after, deleted, ['in_progress'])
  t.match(await after.responses.cancel(cancelled, APART), { status: 'cancelled' })
  await after.responses.delete(deleted, APART)
  for (const id of [cancelled, deleted]) t.match(await second.logLine(runOf(id)), { result: 'void' })
  await rejectsWith(t, after.responses.retrieve(deleted), { status: 404 })
  await rejectsWith(t, after.responses.retrieve(cancelled, { stream: true }).then(typesOf), /was cancelled/)
  t.match(await after.responses.retrieve(cancelled), { status: 'cancelled' })
  const drained = (await after.responses.create(SHORT, APART)).id
  await poll(after, drained, ['in_progress'])
  t.equal(await second.stop(), 0)

  const third = await start(t, config)
  t.match(await poll(clientOf(third), drained, OVER), { status: 'incomplete' }, 'a drain puts it back')
  t.match(await third.logLine(runOf(drained)), { attempts: 1 })
  t.match(
    await third.metricsWith([/sluice_jobs\{state="processing"\} 0/], { authorization: `Bearer ${KEY}` }),
    /sluice_jobs\{state="completed"\} 0/,
  )
})

/** Short, so that the jobs of a dead node are taken over soon. */
const LEASE_MS = 1500

test('two nodes: each runs, streams and cancels what the other accepted, and takes over what a dead one ran', async (t) => {
  const redis = await RedisServer.start(t)
  const config = {
    redis: { url: redis.url },
    jobs: { store: 'redis', leaseMs: LEASE_MS },
    streams: { store: 'redis', tokenSecret: 'a secret of these two nodes alone' },
    responses: { store: 'redis', background: { concurrency: 2 } },
  }
  const one = await start(t, config)
  const here = clientOf(one)
  const busy = await leaveAt(here, LASTING, 'response.output_text.delta')
  const silent = (await here.responses.create(LASTING)).id
  await poll(here, silent, ['in_progress'])
  const waiting = (await here.responses.create(QUICK)).id
  t.match(await here.responses.retrieve(waiting), { status: 'queued' })

  const two = await start(t, config)
  const there = clientOf(two)
  t.match(await poll(there, waiting, OVER), { status: 'completed', output_text: 'Hello there' })
  t.match(await two.logLine(runOf(waiting)), { result: 'completed' })
  const types = await typesOf(await here.responses.create({ ...QUICK, stream: true as const }))
  t.same(types.slice(0, 3), ['response.created', 'response.queued', 'response.in_progress'], 'the run is elsewhere')
  t.equal(types.at(-1), 'response.completed')
  for (const id of [busy, silent]) {
    t.match(await there.responses.cancel(id), { status: 'cancelled' })
    t.match(await one.logLine(runOf(id)), { result: 'void' })
    t.match(await here.responses.retrieve(id), { status: 'cancelled' })
  }
  t.equal(await two.stop(), 0)

  const seen = await leaveAt(here, LASTING, 'response.output_text.delta')
  const unseen = (await here.responses.create(SHORT)).id
  await poll(here, unseen, ['in_progress'])
  await one.stop('SIGKILL')
  const three = await start(t, config)
  const after = clientOf(three)
  t.match(await poll(after, unseen, OVER), { status: 'incomplete' })
  t.match(await three.logLine(runOf(unseen)), { result: 'completed', attempts: 2 })
  t.match(await poll(after, seen, OVER), { status: 'failed', error: { code: 'upstream_cut' } })
  await three.logLine(runOf(seen))
  t.equal((await after.responses.retrieve(seen)).status, 'failed')
})
