import { test } from 'tap'
import { createDirectoryMemory } from '../../../src/accounts/directory/memory.js'
import { DirectoryReader } from '../../../src/accounts/directory/reader.js'
import { DirectoryWriter } from '../../../src/accounts/directory/writer.js'
import { type AccountTeam, MAX_SECRETS } from '../../../src/accounts/types.js'
import { digestOfKey, hammerAccount } from '../../helpers/directory-hammer.js'
import { thrownBy } from '../../helpers/thrown.js'

const NO_LIMITS = { requestsPerMinute: null, tokensPerMinute: null, concurrency: null }

function teamOf(id: string): AccountTeam {
  return { id, name: id, models: ['*'], limits: NO_LIMITS }
}

function account(k: number, team: string | null = null) {
  return hammerAccount(k, 1, { id: `key_${k}`, team: team === null ? null : teamOf(team) })
}

test('a full directory is an error that says so, and changes nothing; a deleted key makes room', (t) => {
  const memory = createDirectoryMemory(2)
  const writer = new DirectoryWriter(memory)
  for (const k of [0, 1]) writer.put(account(k), [{ digest: digestOfKey(k), validUntilMs: null }])
  const digests = [{ digest: digestOfKey(2), validUntilMs: null }]
  for (const act of ['put', 'check'] as const) {
    const error = thrownBy(() => {
      if (act === 'put') writer.put(account(2), digests)
      else writer.check([{ account: account(2), secrets: digests }])
    })
    t.match(error, { code: 'storage_full', message: /accounts\.maxKeys is 2\.$/ })
  }
  t.equal(writer.size, 2)
  const reader = new DirectoryReader(memory)
  t.equal(reader.find(digestOfKey(2), 0), null)
  writer.put(account(1), [{ digest: digestOfKey(1, 'new'), validUntilMs: null }])
  t.equal(reader.find(digestOfKey(1, 'new'), 0)?.account.id, 'key_1', 'one that is there may change')
  writer.remove('key_0')
  writer.remove('key_0')
  writer.put(account(2), digests)
  t.equal(reader.find(digestOfKey(2), 0)?.account.id, 'key_2')
  t.end()
})

test('more secrets or a longer record than fit are an error, too', (t) => {
  const writer = new DirectoryWriter(createDirectoryMemory(2))
  const many = Array.from({ length: 11 }, (_, n) => ({ digest: digestOfKey(0, String(n)), validUntilMs: null }))
  t.match(
    thrownBy(() => writer.put(account(0), many)),
    { code: 'storage_full', message: /no memory/ },
  )
  t.equal(writer.size, 0)
  const long = { ...account(0), tags: ['x'.repeat(2_000_000)] }
  t.match(
    thrownBy(() => writer.put(long, [])),
    { code: 'storage_full', message: /no memory/ },
  )
  writer.put(account(0), many.slice(0, 3))
  t.equal(writer.size, 1)
  t.end()
})

test('memory of records that change is used again, however often they do', (t) => {
  const memory = createDirectoryMemory(2)
  const writer = new DirectoryWriter(memory)
  for (let round = 0; round < 100_000; round++) writer.put(hammerAccount(0, round, { id: 'key_0' }), [])
  t.equal(new DirectoryReader(memory).bySlot(0)?.account.expiresAtMs, 99_999)
  t.end()
})

test('a slot has another index for each key that has it, and none while it is free', (t) => {
  const memory = createDirectoryMemory(1)
  const writer = new DirectoryWriter(memory)
  const reader = new DirectoryReader(memory)
  const indexes = new Set<number>()
  for (let k = 0; k < 100; k++) {
    writer.put(account(k), [])
    indexes.add(reader.bySlot(0)?.index ?? -1)
    writer.remove(`key_${k}`)
    t.equal(reader.bySlot(0), null)
  }
  t.equal(indexes.size, 100)
  for (const index of indexes) t.equal(reader.byIndex(index), null)
  t.end()
})

test('keys of a team share its place, which is kept for it until another team needs it', (t) => {
  const memory = createDirectoryMemory(3)
  const writer = new DirectoryWriter(memory)
  const reader = new DirectoryReader(memory)
  writer.put(account(0, 'team_a'), [])
  writer.put(account(1, 'team_a'), [])
  writer.put(account(2, 'team_b'), [])
  t.same(
    [0, 1, 2].map((slot) => reader.bySlot(slot)?.teamPlace),
    [0, 0, 1],
  )
  writer.remove('key_0')
  writer.put(account(1), [])
  t.equal(reader.bySlot(1)?.teamPlace, null)
  writer.put(account(1, 'team_a'), [])
  t.equal(reader.bySlot(1)?.teamPlace, 0, 'its limits go on')
  writer.put(account(1, 'team_c'), [])
  t.equal(reader.bySlot(1)?.teamPlace, 2)
  writer.put(account(1, 'team_d'), [])
  t.equal(reader.bySlot(1)?.teamPlace, 0)
  writer.put(account(1, 'team_a'), [])
  t.equal(reader.bySlot(1)?.teamPlace, 2, 'its own has another team')
  t.end()
})

test('a place is used again when nothing of its former owner runs any more, and begins anew', (t) => {
  const busy = new Set([0])
  const cleared: number[] = []
  const keys = { isIdle: (place: number) => !busy.has(place), clear: (place: number) => void cleared.push(place) }
  const memory = createDirectoryMemory(2)
  const writer = new DirectoryWriter(memory, { keys })
  const reader = new DirectoryReader(memory)
  for (const k of [0, 1]) writer.put(account(k), [])
  for (const k of [0, 1]) writer.remove(`key_${k}`)
  writer.put(account(2), [])
  t.equal(reader.bySlot(0), null)
  t.equal(reader.bySlot(1)?.account.id, 'key_2')
  t.same(cleared, [1])
  t.match(
    thrownBy(() => writer.put(account(3), [])),
    { code: 'storage_full', message: /still running; try again/ },
  )
  busy.clear()
  writer.put(account(3), [])
  t.equal(reader.bySlot(0)?.account.id, 'key_3')
  t.same(cleared, [1, 0])
  t.end()
})

test('many at once are asked about together: each alone would fit', (t) => {
  const secretsOf = (k: number) => [{ digest: digestOfKey(k), validUntilMs: null }]
  const memory = createDirectoryMemory(2)
  const writer = new DirectoryWriter(memory)
  const listingsOf = (tag: string, team: string | null = null) =>
    [0, 1].map((k) => ({ account: { ...account(k, team), tags: [tag] }, secrets: secretsOf(k) }))
  t.match(
    thrownBy(() => writer.check([...listingsOf('a'), { account: account(2), secrets: [] }])),
    { code: 'storage_full', message: /maxKeys is 2/ },
  )
  const large = 'x'.repeat(500_000)
  for (const [k, listing] of listingsOf(large).entries()) {
    if (k === 0) writer.check([listing])
  }
  t.match(
    thrownBy(() => writer.check(listingsOf(large))),
    { code: 'storage_full', message: /no memory/ },
  )
  for (const { account: each, secrets } of listingsOf('a', 'team_a')) writer.put(each, secrets)
  const [first, second] = [listingsOf('a', 'team_b')[0], listingsOf('a', 'team_c')[1]]
  if (first === undefined || second === undefined) throw new Error('no listing')
  writer.check([first])
  t.match(
    thrownBy(() => writer.check([first, second])),
    { code: 'storage_full', message: /no more than 2 teams/ },
  )
  t.end()
})

test('keys that fit can always be given all the secrets that a key may have, and lose all but one', (t) => {
  const memory = createDirectoryMemory(3)
  const writer = new DirectoryWriter(memory)
  const reader = new DirectoryReader(memory)
  const secretsOf = (k: number, names: readonly string[]) =>
    names.map((name) => ({ digest: digestOfKey(k, name), validUntilMs: null }))
  const four = ['a', 'b', 'c', 'd'] as const
  t.equal(four.length, MAX_SECRETS)
  for (const k of [0, 1, 2]) writer.put(account(k), secretsOf(k, four))
  for (const k of [0, 1, 2]) writer.put(account(k), secretsOf(k, ['e']))
  t.equal(reader.find(digestOfKey(2, 'e'), 0)?.account.id, 'key_2')
  t.equal(reader.find(digestOfKey(2, 'd'), 0), null)
  for (const k of [0, 1, 2]) writer.put(account(k), secretsOf(k, four))
  writer.put(account(2), [{ digest: digestOfKey(2, 'a'), validUntilMs: 7 }])
  t.end()
})
