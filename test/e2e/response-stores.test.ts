// Answers in a store that outlives the process, by the official client: in a file over restarts and kills, in Redis over
// nodes.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import OpenAI from 'openai'
import { t as tap, test } from 'tap'
import { type Running, simulatedProviders, startGateway, startSimulator, type Teardown } from '../helpers/gateway.js'
import { RedisServer } from '../helpers/redis.js'
import { rejectsWith } from '../helpers/rejects.js'

const KEY = 'test-key-0123456789abcdef'
const OTHER_KEY = 'other-key-0123456789abcdef'
const KEYS = [
  { name: 'test', key: KEY },
  { name: 'other', key: OTHER_KEY },
]

const fast = await startSimulator(tap)
/** An answer takes longer than any test. */
const slow = await startSimulator(tap, ['--tokens-per-second', '2'])
const PROVIDERS = {
  ...simulatedProviders(fast.origin),
  slow: { protocol: 'openai-chat', baseUrl: `${slow.origin}/v1` },
}

function clientOf({ origin }: Running, apiKey = KEY): OpenAI {
  return new OpenAI({ apiKey, baseURL: `${origin}/v1`, maxRetries: 0 })
}

function start(t: Teardown, config: object): Promise<Running> {
  return startGateway(t, { config: { keys: KEYS, providers: PROVIDERS, ...config } })
}

/** The id of an answer that its client can find while it runs. */
async function begin(client: OpenAI): Promise<string> {
  const stream = await client.responses.create(
    { model: 'slow/lorem-max', input: 'Go on', stream: true },
    { headers: { 'x-sluice-resume': '1' } },
  )
  for await (const event of stream) if (event.type === 'response.created') return event.response.id
  throw new Error('no event')
}

test('a file of answers: a conversation goes on over a restart, and what a killed process wrote has failed', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-responses-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const responses = { store: 'sqlite', path: join(folder, 'answers', 'responses.db') }
  const first = await start(t, { responses, server: { threads: 2 } })
  const client = clientOf(first)
  const ids: string[] = []
  for (let i = 0; i < 6; i++) {
    // Each request on a connection of its own, so that both loops take part.
    const init = { headers: { connection: 'close' } }
    const request = { model: 'openai/echo', input: `${i}`, previous_response_id: ids.at(-1) ?? null }
    const answer =
      i % 2 === 0
        ? await client.responses.create(request, init)
        : await client.responses.stream(request, init).finalResponse()
    ids.push(answer.id)
  }
  const deleted = ids[0] ?? ''
  await client.responses.delete(deleted)
  t.equal(await first.stop(), 0)
  t.notMatch(first.errorOutput, /store/)

  const second = await start(t, { responses })
  const next = { model: 'anthropic/echo', input: 'After', previous_response_id: ids.at(-1) ?? '' }
  const { id } = await clientOf(second).responses.create(next)
  const items = await clientOf(second).responses.inputItems.list(id, { limit: 100, order: 'asc' })
  t.equal(items.data.length, 13)
  await rejectsWith(t, clientOf(second).responses.retrieve(deleted), { status: 404 })
  await rejectsWith(t, clientOf(second, OTHER_KEY).responses.retrieve(id), { status: 404 })
  const running = await begin(clientOf(second))
  t.match(await clientOf(second).responses.retrieve(running), { status: 'in_progress' })
  await second.stop('SIGKILL')

  const third = await start(t, { responses })
  const lost = await clientOf(third).responses.retrieve(running)
  t.match(lost, { id: running, status: 'failed', error: { code: 'upstream_cut' } })
  t.match(await clientOf(third).responses.retrieve(id), { status: 'completed', output_text: 'After' })
})

test('Redis: a node continues what another has answered, through an outage of Redis and after the other has died', async (t) => {
  const redis = await RedisServer.start(t)
  const shared = { redis: { url: redis.url } }
  const [a, b] = await Promise.all(
    (['fail', 'forward'] as const).map((onStoreDown) =>
      start(t, { ...shared, responses: { store: 'redis', onStoreDown } }),
    ),
  )
  if (a === undefined || b === undefined) throw new Error('no nodes')
  const [onA, onB] = [clientOf(a), clientOf(b)]
  const request = { model: 'openai/echo', input: 'One' }
  const first = await onA.responses.create(request)
  const second = await onB.responses
    .stream({ model: 'anthropic/echo', input: 'Two', previous_response_id: first.id })
    .finalResponse()
  t.equal(second.output_text, 'Two')
  t.equal((await onA.responses.retrieve(second.id)).output_text, 'Two')
  t.equal((await onA.responses.inputItems.list(second.id)).data.length, 3)
  await rejectsWith(t, clientOf(b, OTHER_KEY).responses.retrieve(first.id), { status: 404 })
  await onB.responses.delete(first.id)
  await rejectsWith(t, onA.responses.retrieve(first.id), { status: 404 })

  redis.pause()
  const refused = { status: 503, code: 'storage_unavailable' }
  await rejectsWith(t, onA.responses.create(request), refused)
  await rejectsWith(t, onA.responses.retrieve(second.id), { status: 503 })
  await rejectsWith(t, onA.responses.stream(request).finalResponse(), /response store/)
  t.equal((await onA.responses.create({ ...request, store: false })).output_text, 'One')
  const forwarded = await onB.responses.create(request)
  t.equal(forwarded.output_text, 'One')
  await b.logLine(({ msg }) => msg === 'response not stored')
  const back = [a, b].map((node) => node.lines.length)
  redis.resume()
  await Promise.all(
    [a, b].map((node, i) =>
      node.logLine((line) => line.msg === 'redis available (responses)' && node.lines.indexOf(line) >= (back[i] ?? 0)),
    ),
  )
  await rejectsWith(t, onB.responses.retrieve(forwarded.id), { status: 404 })
  const third = await onB.responses.create({ ...request, previous_response_id: second.id })

  const running = await begin(onA)
  t.match(await onB.responses.retrieve(running), { status: 'in_progress' })
  await a.stop('SIGKILL')
  let found = await onB.responses.retrieve(running)
  for (let i = 0; i < 400 && found.status === 'in_progress'; i++) {
    await new Promise((resolve) => setTimeout(resolve, 50))
    found = await onB.responses.retrieve(running)
  }
  t.match(found, { status: 'failed', error: { code: 'upstream_cut' } })
  t.equal((await onB.responses.create({ ...request, previous_response_id: third.id })).output_text, 'One')
})
