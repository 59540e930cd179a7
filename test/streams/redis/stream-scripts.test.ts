// The scripts by themselves: what a batch does that comes twice, too late, from another node, or to a log that is not there.
import { test } from 'tap'
import { encodeEnd } from '../../../src/streams/redis/stored-end.js'
import { readStreamScripts, type StreamScript } from '../../../src/streams/redis/stream-scripts.js'
import { type Teardown } from '../../helpers/gateway.js'
import { connectRedis, RedisServer } from '../../helpers/redis.js'
import { COMPLETE } from '../../helpers/stored-streams.js'

const TTL_MS = 60_000
const END = encodeEnd(COMPLETE)
const TEXTS = readStreamScripts()

type Sent = { readonly node?: string; readonly facts?: string; readonly first?: number; readonly ending?: string }

async function startScripts(t: Teardown) {
  const server = await RedisServer.start(t)
  const redis = connectRedis(server.url)
  t.teardown(() => redis.disconnect())
  const run = (name: StreamScript, ...args: (string | number)[]): Promise<unknown> =>
    redis.eval(TEXTS.get(name) ?? '', 0, 'p:', ...args)
  /** One log, frames of one byte each. */
  const append = async (from: number, frames: string, sent: Sent = {}) => {
    const { node = 'north', facts = '{}', first = 0, ending = '' } = sent
    const lengths = [...frames].map(() => 1).join(' ')
    const [reply] = (await run(
      'append',
      node,
      TTL_MS,
      'a',
      facts,
      first,
      from,
      lengths,
      frames,
      ending,
      TTL_MS,
    )) as unknown[]
    return reply
  }
  const stored = async () => (await redis.xrange('p:a:log', '-', '+')).map(([id, [, a, , , , f]]) => [id, a, f])
  return { redis, run, append, stored }
}

test('a batch that is there already changes nothing, however often it comes; the reply says what comes next', async (t) => {
  const { append, stored } = await startScripts(t)
  t.equal(await append(0, 'ab'), 2)
  t.equal(await append(0, 'ab'), 2)
  t.equal(await append(0, 'abc'), 2, 'nor does a part of it')
  t.equal(await append(2, 'c'), 3)
  t.equal(await append(0, 'ab'), 3)
  t.equal(await append(5, 'f'), 3, 'what would leave a gap is not taken')
  t.same(await stored(), [
    ['2-0', '0', 'ab'],
    ['3-0', '2', 'c'],
  ])
})

test('an end that comes twice is one; after it nothing is taken, nor from another node at any time', async (t) => {
  const { append, stored, redis } = await startScripts(t)
  await append(0, 'a')
  t.equal(await append(1, 'b', { node: 'south' }), -2)
  t.equal(await append(1, 'b', { ending: END }), 2)
  t.equal(await append(1, 'b', { ending: END }), 2)
  t.equal(await append(2, 'c'), -2)
  t.equal(await append(2, '', { ending: encodeEnd({ ...COMPLETE, outcome: 'failed' }) }), -2)
  t.equal(await redis.hget('p:a', 'end'), END)
  t.equal((await stored()).length, 2)
})

test('a log that is not there is made with its facts, from where its writer begins, and not without', async (t) => {
  const { append, run } = await startScripts(t)
  t.equal(await append(3, 'd', { facts: '' }), -1)
  t.equal(await run('find', 'a', 1, END), null)
  t.equal(await append(3, 'd', { facts: '{"id":"a"}' }), 4)
  t.same(await run('find', 'a', 0, END), ['{"id":"a"}', '3', '4', ''])
})

test('each append rings where the log is read, as long as the reader’s lease runs', async (t) => {
  const { append, run, redis } = await startScripts(t)
  await append(0, 'a')
  const ears = redis.duplicate()
  t.teardown(() => ears.disconnect())
  const heard: string[] = []
  ears.on('message', (channel, message) => heard.push(`${channel} ${message}`))
  await ears.subscribe('p:to:north', 'p:to:south')
  await run('attach', 'south', TTL_MS, 'a')
  await append(1, 'b')
  await append(1, 'b')
  await run('detach', 'south', 'a')
  await append(2, 'c')
  await redis.hset('p:a:readers', 'south', 1)
  await append(3, 'd')
  t.equal(await redis.hlen('p:a:readers'), 0, 'one whose lease is over is forgotten')
  await run('cancel', 'a', END)
  while (heard.length < 4) await new Promise((resolve) => setTimeout(resolve, 2))
  t.same(heard, ['p:to:north attach south a', 'p:to:south more a', 'p:to:north detach south a', 'p:to:north cancel a'])
})

test('a cancel that no writer hears ends the log itself, and one that has ended is deleted', async (t) => {
  const { append, run, redis } = await startScripts(t)
  await append(0, 'a')
  await run('cancel', 'a', END)
  t.equal(await redis.hget('p:a', 'end'), END)
  await run('cancel', 'a', END)
  t.same(await redis.keys('*a*'), [])
  t.equal(await run('cancel', 'a', END), 0)
})
