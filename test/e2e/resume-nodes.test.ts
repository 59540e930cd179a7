// Kept streams over two nodes with a Redis: a link of one node opens its stream on the other, and a WebSocket whose node drains goes on
// there.
import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import { test } from 'tap'
import WebSocket from 'ws'
import { type Running, simulatedProviders, startGateway, startSimulator, type Teardown } from '../helpers/gateway.js'
import { RedisServer } from '../helpers/redis.js'

const KEY = 'key-of-both-nodes-0123456789'
const FOREIGN_KEY = 'key-of-another-team-0123456789'

async function startNodes(t: Teardown, tokensPerSecond: number): Promise<readonly [Running, Running]> {
  const redis = await RedisServer.start(t)
  const simulator = await startSimulator(t, ['--tokens-per-second', String(tokensPerSecond)])
  const config = {
    keys: [
      { name: 'ours', key: KEY },
      { name: 'foreign', key: FOREIGN_KEY },
    ],
    server: { drainGraceMs: 0, drainMs: 60_000 },
    streams: { store: 'redis', tokenSecret: 'a secret of both of the nodes' },
    redis: { url: redis.url },
    providers: simulatedProviders(simulator.origin),
  }
  return [await startGateway(t, { config }), await startGateway(t, { config })]
}

function chat(tokens: number) {
  return { model: 'openai/lorem-max', stream: true, max_tokens: tokens, messages: [{ role: 'user', content: 'Hi' }] }
}

async function read(url: string, headers: Record<string, string> = {}): Promise<{ status: number; text: string }> {
  const answer = await fetch(url, { headers })
  return { status: answer.status, text: (await answer.text()).replaceAll(': ping\n', '') }
}

test('a stream is read on the other node, by key and by link, and by no one else', async (t) => {
  const [first, second] = await startNodes(t, 100)
  const answer = await fetch(`${first.origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': KEY, 'x-sluice-resume': '1' },
    body: JSON.stringify(chat(80)),
  })
  const path = `/v1/streams/${answer.headers.get('x-sluice-stream')}`
  const link = /<([^>]+)>/.exec(answer.headers.get('link') ?? '')?.[1] ?? ''
  const [whole, byKey, byLink] = await Promise.all([
    answer.text(),
    read(second.origin + path, { 'x-api-key': KEY }),
    read(second.origin + link),
  ])
  t.match(whole, /data: \[DONE\]\n\n$/)
  t.same(byKey, { status: 200, text: whole })
  t.same(byLink, { status: 200, text: whole })
  const foreign = async (): Promise<number> => (await read(second.origin + path, { 'x-api-key': FOREIGN_KEY })).status
  // A node that has just connected cannot say yet what is nowhere, and another's is answered like that.
  let status = await foreign()
  for (; status === 503; status = await foreign()) await setTimeout(100)
  t.equal(status, 404)
  t.equal((await read(`${second.origin}${link}x`)).status, 404)
  t.equal(
    (await read(`${second.origin}${path}?after=10`, { 'x-api-key': KEY })).text,
    whole.slice(whole.indexOf('id: 11\n')),
  )
  const removed = await fetch(second.origin + path, { method: 'DELETE', headers: { 'x-api-key': KEY } })
  t.equal(removed.status, 204)
  const atFirst = async (): Promise<number> => (await read(first.origin + path, { 'x-api-key': KEY })).status
  while ((await atFirst()) === 200) await new Promise(setImmediate)
  // Not served, though a node that has just connected cannot say yet that it is nowhere.
  t.ok([404, 503].includes((await read(second.origin + path, { 'x-api-key': KEY })).status))
})

type Message = { readonly type: string; readonly stream?: string; readonly seq?: number; readonly outcome?: string }

class Client {
  readonly got: Message[] = []
  readonly socket: WebSocket
  readonly closed: Promise<number>
  #wake: () => void = () => {}

  constructor(t: Teardown, { origin }: Running) {
    this.socket = new WebSocket(`${origin.replace('http', 'ws')}/v1/ws`, { headers: { 'x-api-key': KEY } })
    t.teardown(() => this.socket.terminate())
    this.closed = once(this.socket, 'close').then(([code]) => code as number)
    this.socket.on('message', (bytes: Buffer) => {
      this.got.push(JSON.parse(bytes.toString()) as Message)
      this.#wake()
    })
  }

  async until(isEnough: () => boolean): Promise<void> {
    while (!isEnough()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}

test('a socket of a node that drains is closed with 1012, and its chat goes on at the other one with nothing missing', async (t) => {
  const [first, second] = await startNodes(t, 30)
  const client = new Client(t, first)
  await once(client.socket, 'open')
  client.socket.send(JSON.stringify({ type: 'chat', id: 'a', resume: true, request: chat(150) }))
  await client.until(() => client.got.length > 10)
  const exit = once(first.child, 'exit')
  first.child.kill('SIGTERM')
  t.equal(await client.closed, 1012)
  const seqs = client.got.slice(1).map(({ seq }) => seq ?? -1)
  const last = seqs.at(-1) ?? -1
  t.ok(last < 140, `cut at ${last}, while it runs`)
  const next = new Client(t, second)
  await once(next.socket, 'open')
  next.socket.send(JSON.stringify({ type: 'resume', id: 'b', stream: client.got[0]?.stream, after: last }))
  await next.until(() => next.got.at(-1)?.type === 'done')
  seqs.push(...next.got.slice(0, -1).map(({ seq }) => seq ?? -1))
  t.same(
    seqs,
    seqs.map((_, index) => index),
  )
  t.match(next.got.at(-1), { outcome: 'complete', seq: seqs.length })
  t.ok(seqs.length > 100)
  t.equal((await exit)[0], 0, 'its process ends once the stream has')
})
