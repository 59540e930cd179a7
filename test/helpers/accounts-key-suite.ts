// What every store must hold of keys and their secrets.
import { test } from 'tap'
import { digestOf } from '../../src/accounts/secret.js'
import { MAX_SECRETS } from '../../src/accounts/types.js'
import { NO_LIMITS, newKey, type OpenAccounts } from './accounts-rig.js'
import { rejectionOf } from './thrown.js'

const BY = { by: 'admin' }
const ANY = { by: 'admin', ifVersion: null }
const HOUR_MS = 3_600_000

/** Keys: created, read, listed, changed and deleted. */
export function keySuite(kind: string, open: OpenAccounts): void {
  test(`${kind}: a key is created once; the same again is answered without its secret, another of its name refused`, async (t) => {
    const { node } = await open(t)
    const { store, directory } = node
    const input = newKey('app1', {
      models: ['gpt-*'],
      limits: { requestsPerMinute: 10, tokensPerMinute: 2 ** 40, concurrency: 3 },
      tags: ['blue', 'eu'],
      metadata: { owner: 'Zoë', b: '2' },
      trustUser: true,
      expiresAtMs: 4_000_000_000_000,
    })
    const { key, secret } = await store.createKey(input, BY)
    t.match(secret, /^sk-sluice-[0-9A-Za-z]{43}$/)
    t.match(key, { ...input, rotatedAtMs: null, lastUsedAtMs: null, id: /^key_[0-9A-Za-z]{20}$/ })
    t.same(key.secrets, [{ hint: secret?.slice(-4), validUntilMs: null }])
    t.same(await store.getKey('app1'), key)
    const { id, name, models, limits, tags, trustUser, expiresAtMs } = key
    t.same(directory.find(digestOf(secret ?? '')), {
      account: { id, name, models, limits, tags, trustUser, expiresAtMs, team: null, disabled: false },
      validUntilMs: null,
    })
    const again = { ...input, metadata: { b: '2', owner: 'Zoë' } }
    t.same(await store.createKey(again, BY), { key, secret: null }, 'members may come in another order')
    t.match(await rejectionOf(store.createKey({ ...input, tags: [] }, BY)), {
      code: 'conflict',
      status: 409,
      message: 'There is a key app1 with other contents.',
    })
    t.same(await store.getKey('app1'), key)
    t.equal(await store.getKey('APP1'), null, 'names differ by case')
  })

  test(`${kind}: the outermost values come back as they were, also when the database is opened again`, async (t) => {
    const { node, reopen } = await open(t)
    const texts = ['\0', '\ud800', '\u2028', "'; drop table keys; --", '\ufffd'.repeat(256)]
    const ends = [8_640_000_000_000_000, -8_640_000_000_000_000, 0]
    const made = await Promise.all(
      ends.map((expiresAtMs, i) => {
        const limits = { requestsPerMinute: 1_000_000_000, tokensPerMinute: 2 ** 53 - 1, concurrency: 1 }
        const metadata = Object.fromEntries([['__proto__', 'x'], ...texts.map((text, at) => [`${at}`, text])])
        return node.store.createKey(newKey(`end${i}`, { models: texts, limits, metadata, expiresAtMs }), BY)
      }),
    )
    const again = await reopen()
    for (const { key, secret } of made) {
      t.same(await again.store.getKey(key.name), key)
      const { id, models, expiresAtMs } = key
      t.match(again.directory.find(digestOf(secret ?? '')), { account: { id, models, expiresAtMs } })
    }
  })

  test(`${kind}: a change takes what it names, and is refused where another one came before`, async (t) => {
    const { node } = await open(t)
    const { store, directory } = node
    const limits = { requestsPerMinute: 10, tokensPerMinute: null, concurrency: null }
    const { key } = await store.createKey(newKey('app1', { limits, tags: ['a'], expiresAtMs: 4e12 }), BY)
    const disabled = await store.updateKey('app1', { disabled: true }, { by: 'eve', ifVersion: key.version })
    t.same(disabled, { ...key, disabled: true, version: disabled.version })
    t.ok(disabled.version > key.version)
    t.equal(directory.named('app1')?.disabled, true)
    for (const stale of [
      store.updateKey('app1', { tags: [] }, { by: 'admin', ifVersion: key.version }),
      store.rotateKey('app1', { overlapMs: 0 }, { by: 'admin', ifVersion: key.version }),
      store.deleteKey('app1', { by: 'admin', ifVersion: key.version }),
    ]) {
      t.match(await rejectionOf(stale), { code: 'precondition_failed', status: 412 })
    }
    t.same(await store.getKey('app1'), disabled)
    const freed = await store.updateKey(
      'app1',
      { limits: NO_LIMITS, expiresAtMs: null, trustUser: true, models: ['a', 'b'], metadata: { x: 'y' }, tags: [] },
      ANY,
    )
    t.match(freed, { limits: NO_LIMITS, expiresAtMs: null, trustUser: true, models: ['a', 'b'], metadata: { x: 'y' } })
    t.same(directory.named('app1')?.limits, NO_LIMITS)
    for (const missing of [
      store.updateKey('app2', {}, ANY),
      store.rotateKey('app2', { overlapMs: 0 }, ANY),
      store.deleteKey('app2', ANY),
    ]) {
      t.match(await rejectionOf(missing), { code: 'not_found', message: 'There is no key app2.' })
    }
  })

  test(`${kind}: a key of a deleted one's name inherits nothing`, async (t) => {
    const { node } = await open(t)
    const { store, directory } = node
    const old = await store.createKey(newKey('app1', { tags: ['old'] }), BY)
    await store.deleteKey('app1', ANY)
    t.equal(directory.find(digestOf(old.secret ?? '')), null)
    t.equal(directory.keys.size, 0)
    t.equal(await store.getKey('app1'), null)
    const fresh = await store.createKey(newKey('app1'), BY)
    t.not(fresh.key.id, old.key.id)
    t.not(fresh.key.version, old.key.version, 'what was read of the old one changes nothing of the new one')
    t.equal(directory.find(digestOf(old.secret ?? '')), null)
    t.same(fresh.key.secrets, [{ hint: fresh.secret?.slice(-4), validUntilMs: null }])
  })

  test(`${kind}: no more keys than maxKeys, and none with the name of a key of the file`, async (t) => {
    const { node } = await open(t, { maxKeys: 2, fileKeys: ['team-a'] })
    const { store } = node
    t.match(await rejectionOf(store.createKey(newKey('team-a'), BY)), {
      code: 'conflict',
      message: 'team-a is the name of a key of the configuration file.',
    })
    await store.createKey(newKey('app1'), BY)
    await store.createKey(newKey('app2'), BY)
    t.match(await rejectionOf(store.createKey(newKey('app3'), BY)), {
      ...{ code: 'storage_full', retryable: false, message: 'There are 2 keys, and accounts.maxKeys is 2.' },
    })
    await store.deleteKey('app1', ANY)
    await store.createKey(newKey('app3'), BY)
    t.match(await rejectionOf(node.reserve(['new', 'app3'])), { code: 'misconfigured', message: /^keys: app3 is also/ })
    t.match(await rejectionOf(store.createKey(newKey('team-a'), BY)), { code: 'conflict' }, 'as before')
    await store.deleteKey('app3', ANY)
    await node.reserve(['new', 'app3'])
    t.match(await rejectionOf(store.createKey(newKey('app3'), BY)), { code: 'conflict' })
    t.ok(await store.createKey(newKey('team-a'), BY), 'a name that the file has given up')
  })
}

/** Secrets of keys, and their rotation. */
export function secretSuite(kind: string, open: OpenAccounts): void {
  test(`${kind}: a rotated key has both secrets until the overlap is over`, async (t) => {
    const { node, advance } = await open(t)
    const { store, directory } = node
    const first = await store.createKey(newKey('app1'), BY)
    const second = await store.rotateKey('app1', { overlapMs: HOUR_MS }, ANY)
    t.not(second.secret, first.secret)
    t.match(second.key, { id: first.key.id, rotatedAtMs: Number })
    const endsAtMs = (second.key.rotatedAtMs ?? 0) + HOUR_MS
    t.same(second.key.secrets, [
      { hint: second.secret.slice(-4), validUntilMs: null },
      { hint: first.secret?.slice(-4), validUntilMs: endsAtMs },
    ])
    t.match(directory.find(digestOf(second.secret)), { account: { id: first.key.id }, validUntilMs: null })
    t.match(directory.find(digestOf(first.secret ?? '')), { account: { id: first.key.id }, validUntilMs: endsAtMs })
    const third = await store.rotateKey('app1', { overlapMs: 60_000 }, ANY)
    t.equal(third.key.secrets[1]?.validUntilMs, endsAtMs, 'an end that is set stays')
    advance(HOUR_MS + 1)
    t.same((await store.getKey('app1'))?.secrets, [{ hint: third.secret.slice(-4), validUntilMs: null }])
    const last = await store.rotateKey('app1', { overlapMs: 0 }, ANY)
    t.same(last.key.secrets, [{ hint: last.secret.slice(-4), validUntilMs: null }])
    for (const { secret } of [first, second, third]) t.equal(directory.find(digestOf(secret ?? '')), null)
    t.match(directory.find(digestOf(last.secret)), { account: { id: first.key.id } })
  })

  test(`${kind}: only so many secrets are valid at a time`, async (t) => {
    const { node, advance } = await open(t)
    const { store } = node
    await store.createKey(newKey('app1'), BY)
    for (let i = 1; i < MAX_SECRETS; i++) await store.rotateKey('app1', { overlapMs: HOUR_MS }, ANY)
    const full = await store.getKey('app1')
    t.equal(full?.secrets.length, MAX_SECRETS)
    t.match(await rejectionOf(store.rotateKey('app1', { overlapMs: HOUR_MS }, ANY)), {
      ...{ code: 'conflict', message: /^4 secrets of app1 are valid/ },
    })
    t.same(await store.getKey('app1'), full)
    advance(HOUR_MS)
    t.equal((await store.rotateKey('app1', { overlapMs: HOUR_MS }, ANY)).key.secrets.length, 2)
  })

  test(`${kind}: when a key was last used is kept with it`, async (t) => {
    const rig = await open(t)
    const { store } = rig.node
    const { key } = await store.createKey(newKey('app1'), BY)
    await store.createKey(newKey('app2'), BY)
    const gone = await store.createKey(newKey('app3'), BY)
    await store.deleteKey('app3', ANY)
    store.noteUsed([
      { id: key.id, atMs: 1000 },
      { id: gone.key.id, atMs: 1000 },
    ])
    const other = rig.node.connect()
    other.noteUsed([{ id: key.id, atMs: 3000 }])
    await other.getKey('app1')
    store.noteUsed([{ id: key.id, atMs: 2000 }])
    await store.getKey('app1')
    const later = (await rig.reopen()).store
    t.same(await later.getKey('app1'), { ...key, lastUsedAtMs: 3000 }, 'and changes nothing of it')
    t.equal((await later.getKey('app2'))?.lastUsedAtMs, null)
  })
}
