// The link tells its state once at each change, and nobody waits for one that is down.
import { createServer } from 'node:net'
import { test } from 'tap'
import { RedisLink } from '../../../src/limit/shared/redis-link.js'
import { type Teardown } from '../../helpers/gateway.js'
import { connectRedis, RedisServer } from '../../helpers/redis.js'

const CALL_TIMEOUT_MS = 300

function createLink(t: Teardown, url: string, register: () => Promise<void> = async () => {}) {
  const states: (readonly [isUp: boolean, cause: unknown])[] = []
  const calls: boolean[] = []
  const watchers: (() => void)[] = []
  const link = new RedisLink({
    url,
    register,
    callTimeoutMs: CALL_TIMEOUT_MS,
    onState: (isUp, cause) => {
      states.push([isUp, cause])
      for (const watch of watchers) watch()
    },
    onCall: (seconds, isOk) => calls.push(isOk && seconds > 0),
  })
  t.teardown(() => link.close())
  const until = (isUp: boolean) =>
    new Promise<void>((resolve) => {
      const look = () => states.at(-1)?.[0] === isUp && resolve()
      watchers.push(look)
      look()
    })
  return { link, states, calls, until, beat: () => link.run('beat', [], [1000, 'nobody']) }
}

test('up, down, up: one word at each change, the scripts known again after a restart', async (t) => {
  const redis = await RedisServer.start(t)
  const { link, states, calls, until, beat } = createLink(t, redis.url)
  await link.start()
  t.equal(await beat(), 0)
  await redis.kill()
  await until(false)
  await t.rejects(beat())
  await redis.startAgain()
  await until(true)
  t.equal(await beat(), 0)
  t.same(
    states.map(([isUp]) => isUp),
    [true, false, true],
  )
  t.same(calls, [true, false, true])
})

test('scripts that Redis forgot are sent again', async (t) => {
  const redis = await RedisServer.start(t)
  const { link, states, beat } = createLink(t, redis.url)
  await link.start()
  const client = connectRedis(redis.url)
  await client.script('FLUSH')
  client.disconnect()
  t.equal(await beat(), 0)
  t.equal(states.length, 1)
})

test('a server that never answers is down within the time of a start, and of a call', async (t) => {
  const sockets = new Set<{ destroy(): void }>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.resume()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const { link, states } = createLink(t, `redis://127.0.0.1:${port}`)
  const startedMs = performance.now()
  await link.start()
  t.ok(performance.now() - startedMs < 30_000, 'by the second of a start; the server would never answer')
  t.same(
    states.map(([isUp]) => isUp),
    [false],
  )
})

test('a replica, as after a failover, is down until it may write, and then comes up by itself', async (t) => {
  const redis = await RedisServer.start(t, ['--replicaof', '127.0.0.1 1'])
  const { link, states, until } = createLink(t, redis.url, async () => {
    await link.run('register', [], [1000, 'node', 0])
  })
  await link.start()
  t.equal(states.at(-1)?.[0], false)
  const client = connectRedis(redis.url)
  await client.replicaof('NO', 'ONE')
  client.disconnect()
  await until(true)
  t.pass('up')
})

test('a password that is wrong is down, not an end of the process', async (t) => {
  const redis = await RedisServer.start(t, ['--requirepass', 'right-password'])
  const wrong = createLink(t, redis.url.replace('//', '//:wrong-password@'))
  await wrong.link.start()
  t.equal(wrong.states.at(-1)?.[0], false)
  const right = createLink(t, redis.url.replace('//', '//:right-password@'))
  await right.link.start()
  t.equal(right.states.at(-1)?.[0], true)
})
