// The connection to Redis: scripts, what is published, and ends of the line that are told and never wait.
import { test } from 'tap'
import { RedisConnection } from '../../src/redis/connection.js'
import { startRedis } from '../helpers/redis-server.js'

test('runs scripts atomically and distinguishes them', async (t) => {
  const server = await startRedis()
  const connection = await connected(server.url)
  const add = connection.script("return redis.call('INCRBY', 'n', ARGV[1])")
  const read = connection.script("return redis.call('GET', KEYS[1])")
  t.same(await Promise.all([add([], [1]), add([], [2]), add([], [3])]), [1, 3, 6])
  t.equal(await read(['n'], []), '6')
  await t.rejects(connection.script('return nonsense()')([], []), /nonsense/)
  connection.close()
  await server.kill()
})

test('a failed connection is reported to its callers only', async (t) => {
  const connection = new RedisConnection({ url: 'redis://127.0.0.1:1' })
  t.teardown(() => connection.close())
  await t.rejects(connection.connect())
  await t.rejects(connection.script('return 1')([], []))
  t.match(connection.lastError, { code: 'ECONNREFUSED' })
})

test('hears what is published, also after the connection was lost', async (t) => {
  const first = await startRedis()
  const changes: boolean[] = []
  const connection = new RedisConnection({ url: first.url, onChange: (isUp) => changes.push(isUp) })
  const heard: string[] = []
  void connection.connect()
  let listening = 0
  connection.listen(
    'news',
    (message) => heard.push(message),
    () => {
      listening += 1
    },
  )
  const publish = connection.script("return redis.call('PUBLISH', 'news', ARGV[1])")
  await until(() => listening === 1 && connection.isUp)
  await publish([], ['one'])
  await until(() => heard.length === 1)
  await first.kill()
  await until(() => !connection.isUp)
  await t.rejects(publish([], ['lost']), 'none is queued')
  const second = await startRedis({ port: first.port })
  await until(() => listening === 2 && connection.isUp)
  await publish([], ['two'])
  await until(() => heard.length === 2)
  t.same(heard, ['one', 'two'])
  t.same(changes, [true, false, true])
  connection.close()
  await second.kill()
})

async function connected(url: string): Promise<RedisConnection> {
  const connection = new RedisConnection({ url })
  await connection.connect()
  await until(() => connection.isUp)
  return connection
}

async function until(isSo: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 8000
  while (!isSo() && performance.now() < deadlineMs) await new Promise((resolve) => setTimeout(resolve, 5))
  if (!isSo()) throw new Error('never')
}
