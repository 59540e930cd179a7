// The Lua of resources/lua: every file is part of a script, every script can be loaded, and none stands in TypeScript.
import { test } from 'tap'
import { readSpendScripts } from '../../src/accounts/budgets/shared/spend-scripts.js'
import { LIMIT_SCRIPTS, readLimitScript } from '../../src/limit/shared/redis-scripts.js'
import { readScript } from '../../src/redis/read-script.js'
import { readResponseScripts } from '../../src/responses/redis/redis-store.js'
import { readAnswerScripts } from '../../src/streams/redis/answer-store.js'
import { readStreamScripts } from '../../src/streams/redis/stream-scripts.js'
import { connectRedis, RedisServer } from '../helpers/redis.js'
import { listFiles, readSource, readText } from '../helpers/source-tree.js'

const FILES = listFiles('resources/lua')

/** Words of Lua's alone, or of a script's two tables. */
const LUA = /\b(?:redis\.call|KEYS\[|ARGV\[|local function|local \w+ =)/

test('the files of a script are joined in the order in which they are named', (t) => {
  const joined = readScript(['limit/ground', 'limit/leave'])
  t.ok(joined.startsWith(readText('resources/lua/limit/ground.lua')))
  t.ok(joined.endsWith(readText('resources/lua/limit/leave.lua')))
  t.throws(() => readScript(['limit/none']), { code: 'ENOENT' })
  t.end()
})

test('every file is part of a script', (t) => {
  const source = readSource()
  const named = new Set([
    ...LIMIT_SCRIPTS.map((name) => `limit/${name}`),
    ...[...readSpendScripts().keys()].map((name) => `budgets/${name}`),
    ...[...readStreamScripts().keys()].map((name) => `streams/${name}`),
    ...[...readAnswerScripts().keys()].map((name) => `answers/${name}`),
    ...[...readResponseScripts().keys()].map((name) => `responses/${name}`),
    ...source.flatMap(({ code }) =>
      [...code.matchAll(/'((?:limit|jobs|streams|responses|budgets)\/(?!redis|kept)[a-z]+)'/g)].map(
        ([, name = '']) => name,
      ),
    ),
  ])
  const present = FILES.map((file) => file.replace(/^resources\/lua\/(.*)\.lua$/, '$1'))
  t.same(
    present.filter((name) => !named.has(name)),
    [],
  )
  t.same(
    [...named].filter((name) => !present.includes(name)),
    [],
  )
  t.end()
})

test('no Lua text is in TypeScript', (t) => {
  t.match("const TAKE = `return redis.call('GET', KEYS[1])`", LUA)
  t.same(
    readSource()
      .filter(({ text }) => LUA.test(text))
      .map(({ path }) => path),
    [],
  )
  t.end()
})

test('a package and an image hold the scripts', (t) => {
  t.ok(JSON.parse(readText('package.json')).files.includes('resources'))
  t.match(readText('Dockerfile'), /^COPY resources resources$/m)
  t.notMatch(readText('.dockerignore'), /^resources/m)
  t.end()
})

test('Redis takes every script', async (t) => {
  const server = await RedisServer.start(t)
  const redis = connectRedis(server.url)
  t.teardown(() => redis.disconnect())
  for (const name of LIMIT_SCRIPTS) t.match(await redis.script('LOAD', readLimitScript(name)), /^[0-9a-f]{40}$/, name)
  for (const [name, text] of [...readStreamScripts(), ...readAnswerScripts()])
    t.match(await redis.script('LOAD', text), /^[0-9a-f]{40}$/, name)
})
