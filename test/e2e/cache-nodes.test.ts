// One cache of answers for two gateways, in a real Redis: what one got from the provider the other one gives, and without Redis both
// still answer.
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import { test } from 'tap'
import { type Running, startGateway, type Teardown } from '../helpers/gateway.js'
import { connectRedis, RedisServer } from '../helpers/redis.js'

const KEY = 'key-of-both-nodes-0123456789'
const QUESTION = 'a question that only its client knows'
const WORDS = ['one', 'two', 'three']
const TTL_MS = 600_000

type Asked = { readonly stream?: boolean; readonly model: string; readonly messages: readonly { content: string }[] }

/** A provider that counts; to "cut" it answers with half a stream. */
async function startProvider(t: Teardown) {
  const provider = { calls: 0, origin: '' }
  const server = createServer(async (req, res) => {
    const chunks: Buffer[] = []
    for await (const each of req) chunks.push(each as Buffer)
    const { stream, messages } = JSON.parse(Buffer.concat(chunks).toString()) as Asked
    provider.calls += 1
    const base = { id: `c${provider.calls}`, created: 1, model: 'm' }
    if (stream !== true) {
      const message = { role: 'assistant', content: WORDS.join(' ') }
      const choices = [{ index: 0, message, finish_reason: 'stop' }]
      res.writeHead(200, { 'content-type': 'application/json' })
      res.end(JSON.stringify({ ...base, object: 'chat.completion', choices }))
      return
    }
    res.writeHead(200, { 'content-type': 'text/event-stream' })
    const frame = (delta: object, finish_reason: string | null = null): string =>
      `data: ${JSON.stringify({ ...base, object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason }] })}\n\n`
    for (const content of WORDS) res.write(frame({ content }))
    if (messages[0]?.content === 'cut') setImmediate(() => req.socket.destroy())
    else res.end(`${frame({}, 'stop')}data: [DONE]\n\n`)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  provider.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return provider
}

async function startNodes(t: Teardown) {
  const redis = await RedisServer.start(t)
  const provider = await startProvider(t)
  const config = {
    keys: [{ name: 'ours', key: KEY }],
    routing: { retries: { max: 0 } },
    streams: { cacheStore: 'redis' },
    redis: { url: redis.url },
    models: { fast: { targets: ['up/m'], cache: { ttlMs: TTL_MS } } },
    providers: { up: { protocol: 'openai-chat', baseUrl: `${provider.origin}/v1` } },
  }
  const nodes = [await startGateway(t, { config }), await startGateway(t, { config })] as const
  for (const node of nodes) await node.logLine(({ msg }) => msg === 'redis available (cache)')
  const plain = connectRedis(redis.url)
  plain.on('error', () => undefined)
  t.teardown(() => plain.disconnect())
  /** Resolves when so many answers are in Redis. */
  const stored = async (count: number): Promise<void> => {
    while ((await plain.keys('{sluice}:answers:*')).length < count) await new Promise(setImmediate)
  }
  return { redis, provider, nodes, plain, stored }
}

async function ask({ origin }: Running, stream: boolean, content = QUESTION, headers: Record<string, string> = {}) {
  const answer = await fetch(`${origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': KEY, ...headers },
    body: JSON.stringify({ model: 'fast', stream, messages: [{ role: 'user', content }] }),
  })
  const head = ({ headers: all }: Response, name: string): string | null => all.get(name)
  return {
    ...{ status: answer.status, text: await answer.text(), type: head(answer, 'content-type') },
    ...{ cache: head(answer, 'x-sluice-cache'), age: head(answer, 'age'), target: head(answer, 'x-sluice-target') },
    id: head(answer, 'x-request-id') ?? '',
  }
}

test('a miss at one node is a hit at the other, streamed and whole, byte for byte', async (t) => {
  const { provider, nodes, plain, stored } = await startNodes(t)
  const [first, second] = nodes
  for (const [index, stream] of [true, false].entries()) {
    const miss = await ask(first, stream)
    t.match(miss, { status: 200, cache: 'miss', age: null })
    await stored(index + 1)
    const hit = await ask(second, stream)
    t.match(hit, { ...miss, cache: 'hit', age: /^\d+$/, id: /./ })
    t.match(await second.exchange(hit.id), { shared: 'hit', sharedFrom: miss.id, tokens: { in: 0, out: 0 } })
    t.equal((await ask(first, stream)).cache, 'hit', 'and at the node that got it')
  }
  t.equal(provider.calls, 2)
  t.equal((await ask(second, true, QUESTION, { 'cache-control': 'no-cache' })).cache, 'miss')
  t.equal((await ask(second, true, QUESTION, { 'cache-control': 'no-store' })).cache, null)
  t.equal(provider.calls, 4)
  const names = await plain.keys('*')
  const secrets = [KEY, createHash('sha256').update(KEY).digest('hex'), QUESTION, 'fast', 'up/m']
  for (const name of names.filter((each) => each.includes(':answers:'))) {
    for (const secret of secrets) t.notOk(name.includes(secret), `${name} has ${secret}`)
  }
  const wanted = [
    /^sluice_redis_up\{use="cache"\} 1$/m,
    /^sluice_redis_seconds_count\{use="cache"\} [1-9]/m,
    /^sluice_cache_answers_total\{result="hit"\} 2$/m,
    /^sluice_cache_answers_total\{result="miss"\} 1$/m,
  ]
  const page = await second.metricsWith(wanted, { authorization: `Bearer ${KEY}` })
  for (const pattern of wanted) t.match(page, pattern)
})

test('half an answer is never stored', async (t) => {
  const { nodes, plain, provider } = await startNodes(t)
  const half = await ask(nodes[0], true, 'cut')
  t.match(half, { status: 200, text: /upstream_cut/ })
  t.equal((await nodes[0].exchange(half.id)).outcome, 'upstream_cut')
  t.equal((await ask(nodes[1], true, 'cut')).cache, 'miss')
  t.equal(provider.calls, 2)
  t.same(await plain.keys('{sluice}:answers:*'), [])
})

test('with Redis hanging or away both nodes still answer from the provider, and find answers again when it is back', async (t) => {
  const { redis, provider, nodes, stored } = await startNodes(t)
  await ask(nodes[0], true)
  await stored(1)
  redis.pause()
  for (const node of nodes) {
    for (const stream of [true, false]) t.match(await ask(node, stream), { status: 200, cache: 'miss', text: /two/ })
  }
  t.equal(provider.calls, 5)
  await redis.kill()
  for (const node of nodes) {
    for (const stream of [true, false]) t.match(await ask(node, stream), { status: 200, cache: 'miss', text: /two/ })
    await node.logLine(({ msg }) => msg === 'redis unavailable (cache)')
  }
  t.equal(provider.calls, 9)
  await redis.startAgain()
  for (const node of nodes) {
    const isBack = (): boolean => node.lines.filter(({ msg }) => msg === 'redis available (cache)').length === 2
    while (!isBack()) await new Promise(setImmediate)
    const told = node.lines.filter(({ msg }) => msg === 'redis unavailable (cache)')
    t.equal(told.length, 1, 'one line')
  }
  t.equal((await ask(nodes[0], false)).cache, 'miss')
  while ((await ask(nodes[1], false, QUESTION)).cache !== 'hit') await new Promise(setImmediate)
  t.ok(provider.calls >= 10)
})
