// The link tells its state once at each change, and nobody waits for one that is down.
import { createServer } from 'node:net'
import { test } from 'tap'
import { type LinkOptions, RedisLink } from '../../src/redis/link.js'
import { type Teardown } from '../helpers/gateway.js'
import { connectRedis, RedisServer } from '../helpers/redis.js'

const CALL_TIMEOUT_MS = 300
/** One that writes, as a replica would refuse it, and one that always fails. */
const SCRIPTS = new Map([
  ['beat', "redis.call('SET', 'beat', ARGV[1]) return 0"],
  ['fail', "return redis.error_reply('ERR refused')"],
])

function createLink(t: Teardown, url: string, options: Partial<LinkOptions<string>> = {}) {
  const states: (readonly [isUp: boolean, cause: unknown])[] = []
  const calls: boolean[] = []
  const watchers: (() => void)[] = []
  const link = new RedisLink({
    url,
    scripts: SCRIPTS,
    register: async () => {},
    callTimeoutMs: CALL_TIMEOUT_MS,
    onState: (isUp, cause) => {
      states.push([isUp, cause])
      for (const watch of watchers) watch()
    },
    onCall: (seconds, isOk) => calls.push(isOk && seconds > 0),
    ...options,
  })
  t.teardown(() => link.close())
  const until = (isUp: boolean) =>
    new Promise<void>((resolve) => {
      const look = () => states.at(-1)?.[0] === isUp && resolve()
      watchers.push(look)
      look()
    })
  return { link, states, calls, until, beat: () => link.run('beat', [], ['node']) }
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
  const { link, states, until } = createLink(t, redis.url, {
    register: async () => {
      await link.run('beat', [], ['node'])
    },
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

test('a failed call takes the link down, unless its owner takes it for a refusal', async (t) => {
  const redis = await RedisServer.start(t)
  const strict = createLink(t, redis.url)
  const lenient = createLink(t, redis.url, {
    isRefusal: (error) => error instanceof Error && /refused/.test(error.message),
  })
  await Promise.all([strict.link.start(), lenient.link.start()])
  await t.rejects(strict.link.run('fail', [], []), /refused/)
  await t.rejects(lenient.link.run('fail', [], []), /refused/)
  t.same([strict.states.length, lenient.states.length], [2, 1])
  t.match(strict.states[1], [false, { message: /refused/ }])
})

test('bytes go to Redis and come back unchanged, if the owner asks for bytes', async (t) => {
  const redis = await RedisServer.start(t)
  const scripts = new Map([['echo', 'return { ARGV[1], #ARGV[1] }']])
  const bytes = Buffer.from([0, 0xff, 0xfe, 13, 10, 0xc3])
  const { link } = createLink(t, redis.url, { scripts, isBinary: true })
  await link.start()
  t.same(await link.run('echo', [], [bytes]), [bytes, bytes.length])
})
