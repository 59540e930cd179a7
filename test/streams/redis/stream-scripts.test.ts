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
    const log = [...['a', facts, first, from], ...[lengths, frames, ending, TTL_MS, '']]
    const [reply] = (await run('append', node, TTL_MS, ...log)) as unknown[]
    return reply
  }
  /** A handle on that log, which has its frames before `reached`. */
  const follow = async (reached: number, { id = 'h', ...sent }: Sent & { readonly id?: string } = {}) => {
    const { node = 'north', facts = '{}', ending = '' } = sent
    const [reply] = (await run(
      ...(['append', node, TTL_MS, id, facts, 0, reached, '', '', ending, TTL_MS, 'a'] as const),
    )) as unknown[]
    return reply
  }
  /** What a reader of a log gets, with the bytes of all batches from a frame on. */
  const read = async (id: string, from = 0, mayClose = 0) => {
    const [page] = (await run('read', mayClose, END, 100, id, from)) as [
      [string, string, string, [string, string[]][]] | null,
    ]
    return page === null ? null : [...page.slice(0, 3), page[3].map(([, fields]) => fields[5]).join('')]
  }
  const stored = async () => (await redis.xrange('p:a:log', '-', '+')).map(([id, [, a, , , , f]]) => [id, a, f])
  return { redis, run, append, follow, read, stored }
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

test('a handle has the frames of the other log, up to its own end, and none of its own', async (t) => {
  const { append, follow, read, run, redis } = await startScripts(t)
  t.equal(await follow(0), -3, 'that log is not there yet')
  t.equal(await run('find', 'h', 0, END), null)
  await append(0, 'ab')
  t.equal(await follow(1, { facts: '' }), -1)
  t.equal(await follow(1, { facts: '{"id":"h"}' }), 2)
  t.same(await run('find', 'h', 0, END), ['{"id":"h"}', '0', '2', ''])
  await append(2, 'c')
  t.same(await read('h', 1), ['0', '3', '', 'abc'], 'at once, without a word of its writer')
  t.equal(await follow(4, { facts: '', ending: END }), 3, 'not before the other log has all of it')
  await append(3, 'd')
  await append(4, 'e')
  t.equal(await follow(4, { facts: '', ending: END }), 4)
  t.equal(await follow(4, { facts: '', ending: END }), 4, 'twice is once')
  await append(5, 'f', { ending: END })
  t.same((await read('h', 3))?.slice(0, 3), ['0', '4', END])
  t.same(await redis.keys('*h:log'), [])
  t.equal(await follow(4, { node: 'south' }), -2)
})

test('a handle that was opened before its frames were known to be others’ becomes one while it is empty', async (t) => {
  const { append, follow, read, run } = await startScripts(t)
  await append(0, 'ab')
  await run('append', 'north', TTL_MS, ...['h', '{}', 0, 0, '', '', '', TTL_MS, ''])
  await run('append', 'north', TTL_MS, ...['full', '{}', 0, 0, '1', 'x', '', TTL_MS, ''])
  t.equal(await follow(0, { facts: '' }), 2)
  t.same(await read('h'), ['0', '2', '', 'ab'])
  t.equal(await follow(1, { id: 'full' }), -4)
})

test('a handle whose other log breaks off, or is gone, gets frames of its own under its id', async (t) => {
  const { append, follow, read, run, redis } = await startScripts(t)
  await append(0, 'ab')
  await follow(2)
  await append(2, '', { ending: END })
  t.equal(await follow(2), 2, 'so far it has all')
  t.equal(await follow(3), -4)
  const own = (facts: string) =>
    run('append', 'north', TTL_MS, ...['h', facts, 0, 0, '1 1 1', 'abc', '', TTL_MS, '']) as Promise<number[]>
  t.same(await own(''), [-1])
  t.same(await own('{}'), [3])
  t.same(await read('h'), ['0', '3', '', 'abc'])
  t.same(await redis.smembers('p:a:handles'), [])
  await follow(0, { id: 'late' })
  await redis.del('p:a', 'p:a:log')
  t.equal(await follow(0, { id: 'late' }), -4)
  t.equal(await read('late'), null, 'for a reader it is not there')
  t.equal(await run('find', 'late', 0, END), null)
})

test('appends to a log ring for readers of its handles as well; the end of a handle only for its own', async (t) => {
  const { append, follow, run, redis } = await startScripts(t)
  await append(0, 'a')
  await follow(1)
  await follow(1, { id: 'i' })
  const ears = redis.duplicate()
  t.teardown(() => ears.disconnect())
  const heard: string[] = []
  ears.on('message', (channel, message) => heard.push(`${channel} ${message}`))
  await ears.subscribe('p:to:north', 'p:to:south', 'p:to:east')
  await run('attach', 'south', TTL_MS, 'h')
  await run('attach', 'east', TTL_MS, 'i', 'a')
  await append(1, 'b')
  await follow(2, { id: 'i', ending: END })
  await run('detach', 'south', 'h')
  await append(2, 'c')
  await run('detach', 'east', 'i', 'a')
  await redis.publish('p:to:east', 'over')
  while (heard.at(-1) !== 'p:to:east over') await new Promise((resolve) => setTimeout(resolve, 2))
  const [attached, rung, rest] = [heard.slice(0, 3), heard.slice(3, 6), heard.slice(6)]
  t.same(attached, ['p:to:north attach south h', 'p:to:north attach east i', 'p:to:north attach east a'])
  t.same(rung.sort(), ['p:to:east more a', 'p:to:east more i', 'p:to:south more h'])
  t.same(rest.slice(0, 2), ['p:to:east more i', 'p:to:north detach south h'])
  t.same(rest.slice(2, 4).sort(), ['p:to:east more a', 'p:to:east more i'])
})

test('a handle whose node is dead ends where the other log is, and stays there', async (t) => {
  const { append, follow, read, run, redis } = await startScripts(t)
  await run('beat', 'east', TTL_MS)
  await append(0, 'ab', { node: 'east' })
  await follow(1)
  t.equal((await read('h', 0, 1))?.[2], END)
  await append(2, 'c', { node: 'east' })
  t.same((await read('h', 0, 1))?.slice(0, 3), ['0', '2', END])
  t.same((await run('find', 'h', 1, END)) as string[], ['{}', '0', '2', END])
  t.equal(await redis.hget('p:a', 'end'), '', 'the other log goes on')
})

test('the frames stay as long as any handle needs them, and leave with the last that is forgotten', async (t) => {
  const { append, follow, run, redis } = await startScripts(t)
  await append(0, 'a')
  await follow(1)
  await follow(1, { id: 'i' })
  const shortly = ['a', '', 0, 1, '', '', END, 1, ''] as const
  t.same(await run('append', 'north', TTL_MS, ...shortly), [1])
  t.ok((await redis.pttl('p:a:log')) > TTL_MS / 2, 'beyond the time that the log itself is kept')
  await follow(1, { ending: END })
  await follow(1, { id: 'i', ending: END })
  await run('cancel', 'h', END)
  t.equal(await redis.exists('p:a:log'), 1)
  await run('cancel', 'i', END)
  t.same(await redis.keys('*'), [])
})
