import { test } from 'tap'
import {
  createDirectoryMemory,
  decodeAccount,
  encodeAccount,
  timeOfWords,
  wordsOfTime,
} from '../../../src/accounts/directory/memory.js'
import { hammerAccount } from '../../helpers/directory-hammer.js'

test('times are exact to the millisecond, and may be none', (t) => {
  for (const ms of [0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 1_800_000_000_123, Number.MAX_SAFE_INTEGER]) {
    const words = new Int32Array(wordsOfTime(ms))
    t.equal(timeOfWords(words[0] ?? 0, words[1] ?? 0), ms)
  }
  t.equal(timeOfWords(...wordsOfTime(null)), Number.POSITIVE_INFINITY)
  t.equal(timeOfWords(...wordsOfTime(-5)), 0)
  t.equal(timeOfWords(...wordsOfTime(0.5)), 1)
  t.end()
})

test('an account is the same after its record', (t) => {
  const account = hammerAccount(1, 7, { name: 'é', tags: ['"', '\u0000'] })
  t.same(decodeAccount(encodeAccount(account)), account)
  const limits = { requestsPerMinute: 1, tokensPerMinute: 2, concurrency: 3 }
  const team = { id: 'team_1', name: 't', models: ['a*'], limits: { ...limits, concurrency: null } }
  const other = { ...account, team, limits, trustUser: true, expiresAtMs: null }
  t.same(decodeAccount(encodeAccount(other)), other)
  t.end()
})

test('the table has twice the places that digests can take, and one for the count of moves', (t) => {
  for (const keys of [1, 10, 1000]) {
    const { table, digests, maxTeams } = createDirectoryMemory(keys)
    const places = table.byteLength / 4 - 1
    t.equal(Math.log2(places) % 1, 0)
    t.ok(places >= (2 * digests.byteLength) / 4 / 16)
    t.equal(maxTeams, keys)
  }
  t.equal(createDirectoryMemory(20_000).maxTeams, 16_384)
  t.end()
})
