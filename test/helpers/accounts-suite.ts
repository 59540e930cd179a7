// What every store of keys and teams must hold, whatever database keeps it: one suite, run over each of them.
import { type Test, test } from 'tap'
import { digestOf } from '../../src/accounts/secret.js'
import { type AccountsEvent, type AccountsStore } from '../../src/accounts/store.js'
import { type AuditRecord, MAX_SECRETS } from '../../src/accounts/types.js'
import { type AccountsNode, NO_LIMITS, newKey, newTeam } from './accounts-rig.js'
import { rejectionOf } from './thrown.js'

export type AccountsRig = {
  readonly node: AccountsNode
  /** Moves the thread's clock. */
  advance(ms: number): void
  /** Closes the node and opens the same database again. */
  reopen(): Promise<AccountsNode>
}

export type RigOptions = { readonly maxKeys?: number; readonly fileKeys?: readonly string[] }
export type OpenAccounts = (t: Test, options?: RigOptions) => Promise<AccountsRig>

const BY = { by: 'admin' }
const ANY = { by: 'admin', ifVersion: null }
const HOUR_MS = 3_600_000
const FIRST_PAGE = { after: null, limit: 100 }

/** Runs the whole suite over one kind of store. */
export function accountsSuite(kind: string, open: OpenAccounts): void {
  keySuite(kind, open)
  secretSuite(kind, open)
  teamSuite(kind, open)
  orderSuite(kind, open)
  auditSuite(kind, open)
}

function keySuite(kind: string, open: OpenAccounts): void {
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

function secretSuite(kind: string, open: OpenAccounts): void {
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

function teamSuite(kind: string, open: OpenAccounts): void {
  test(`${kind}: a team gives its keys its models and limits, and is disabled with all of them`, async (t) => {
    const { node } = await open(t)
    const { store, directory } = node
    const limits = { requestsPerMinute: null, tokensPerMinute: 5, concurrency: null }
    const input = newTeam('blue', { models: ['gpt-*'], limits, metadata: { cost: '12' } })
    const { team, isNew } = await store.createTeam(input, BY)
    t.equal(isNew, true)
    t.match(team, { ...input, id: /^team_[0-9A-Za-z]{20}$/, createdAtMs: Number })
    t.same(await store.createTeam(input, BY), { team, isNew: false })
    t.match(await rejectionOf(store.createTeam(newTeam('blue'), BY)), { code: 'conflict', message: /team blue/ })
    t.match(await rejectionOf(store.createKey(newKey('app1', { team: 'red' }), BY)), {
      ...{ code: 'not_found', message: 'There is no team red.' },
    })
    const { key } = await store.createKey(newKey('app1', { team: 'blue' }), BY)
    await store.createKey(newKey('app2', { team: 'blue' }), BY)
    await store.createKey(newKey('app3'), BY)
    t.equal(key.team, 'blue')
    t.same(directory.named('app1')?.team, { id: team.id, name: 'blue', models: ['gpt-*'], limits })
    const changed = nextChange(store)
    const disabled = await store.updateTeam('blue', { disabled: true, models: ['a'] }, ANY)
    t.match(disabled, { disabled: true, models: ['a'], metadata: { cost: '12' }, id: team.id })
    t.same(
      [...(await changed)].sort(),
      [...directory.keys.values()].flatMap(({ account }) => (account.disabled ? account.id : [])).sort(),
    )
    t.match(directory.named('app1'), { disabled: true, team: { models: ['a'] } })
    t.match(directory.named('app2'), { disabled: true })
    t.match(directory.named('app3'), { disabled: false, team: null })
    t.equal((await store.getKey('app1'))?.disabled, false, 'the key itself is not')
    t.match(await rejectionOf(store.updateTeam('blue', {}, { by: 'admin', ifVersion: team.version })), {
      ...{ code: 'precondition_failed' },
    })
  })

  test(`${kind}: a team with keys is not deleted; a key moves from one to another, or to none`, async (t) => {
    const { node } = await open(t)
    const { store, directory } = node
    for (const name of ['blue', 'red']) await store.createTeam(newTeam(name, { models: [name] }), BY)
    await store.createKey(newKey('app1', { team: 'blue' }), BY)
    t.match(await rejectionOf(store.deleteTeam('blue', ANY)), {
      ...{ code: 'conflict', message: /^Team blue still has keys, such as app1/ },
    })
    t.equal((await store.updateKey('app1', { team: 'red' }, ANY)).team, 'red')
    t.same(directory.named('app1')?.team?.models, ['red'])
    await store.deleteTeam('blue', ANY)
    t.equal(await store.getTeam('blue'), null)
    t.match(await rejectionOf(store.updateKey('app1', { team: 'blue' }, ANY)), { code: 'not_found' })
    t.equal((await store.updateKey('app1', { tags: ['x'] }, ANY)).team, 'red')
    t.equal((await store.updateKey('app1', { team: null }, ANY)).team, null)
    t.equal(directory.named('app1')?.team, null)
    await store.deleteTeam('red', ANY)
    t.match(await rejectionOf(store.deleteTeam('red', ANY)), { code: 'not_found', message: 'There is no team red.' })
  })
}

function orderSuite(kind: string, open: OpenAccounts): void {
  test(`${kind}: lists are pages in the order of names, whatever the language`, async (t) => {
    const { node } = await open(t)
    const { store } = node
    await store.createTeam(newTeam('blue'), BY)
    await store.createTeam(newTeam('Red'), BY)
    const names = ['b', 'B', 'a.1', 'a-1', 'a_1', 'a', '9']
    for (const name of names) await store.createKey(newKey(name, { team: name < 'a' ? 'blue' : null }), BY)
    const seen: string[] = []
    for (let after: string | null = null; ; ) {
      const { keys, next } = await store.listKeys({ after, limit: 3 })
      seen.push(...keys.map(({ name }) => name))
      if (next === null) break
      after = next
    }
    t.same(seen, ['9', 'B', 'a', 'a-1', 'a.1', 'a_1', 'b'])
    const { keys, next } = await store.listKeys({ after: null, limit: 2, team: 'blue' })
    t.same([keys.map(({ name }) => name), next], [['9', 'B'], null])
    t.same(keys[0], await store.getKey('9'))
    const teams = await store.listTeams({ after: null, limit: 1 })
    t.match(teams, { teams: [{ name: 'Red' }], next: 'Red' })
    t.match(await store.listTeams({ after: 'Red', limit: 1 }), { teams: [{ name: 'blue' }], next: null })
  })

  test(`${kind}: of many at once each gets its own answer, and one that is refused disturbs no other`, async (t) => {
    const { node } = await open(t)
    const stores = [node.store, node.connect(), node.connect()]
    const made = await Promise.all(
      Array.from({ length: 60 }, (_, i) => {
        const store = stores[i % 3] as AccountsStore
        const call = i % 6 === 5 ? store.updateKey('nobody', {}, ANY) : store.createKey(newKey(`app${i % 20}`), BY)
        return call.then(
          (value) => ('secret' in value ? value : null),
          (error: unknown) => error,
        )
      }),
    )
    t.equal(made.filter((each) => each instanceof Error).length, 10)
    const secrets = made.flatMap((each) =>
      each !== null && typeof each === 'object' && 'secret' in each && typeof each.secret === 'string' ? [each] : [],
    )
    t.equal(new Set(secrets.map(({ secret }) => secret)).size, node.directory.keys.size)
    for (const { key, secret } of secrets as { key: { id: string }; secret: string }[])
      t.equal(node.directory.find(digestOf(secret))?.account.id, key.id)
  })

  test(`${kind}: every event loop hears of a change after the directory has it`, async (t) => {
    const { node } = await open(t)
    const other = node.connect()
    const { key } = await node.store.createKey(newKey('app1'), BY)
    // Its answer comes after the news of the key, which are not waited for here.
    await other.listTeams(FIRST_PAGE)
    const seen: unknown[] = []
    const heard = [node.store, other].map(
      (store) =>
        new Promise<void>((resolve) => {
          const end = store.subscribe((event: AccountsEvent) => {
            seen.push([event.ids, node.directory.named('app1')?.disabled])
            end()
            resolve()
          })
        }),
    )
    await node.store.updateKey('app1', { disabled: true }, ANY)
    await Promise.all(heard)
    t.same(seen, [
      [[key.id], true],
      [[key.id], true],
    ])
    const gone = nextChange(other)
    await node.store.deleteKey('app1', ANY)
    t.same(await gone, [key.id])
  })

  test(`${kind}: all of it is there again when the database is opened again`, async (t) => {
    const rig = await open(t)
    const { store } = rig.node
    await store.createTeam(newTeam('blue', { disabled: true }), BY)
    const { secret } = await store.createKey(newKey('app1', { team: 'blue' }), BY)
    await store.rotateKey('app1', { overlapMs: HOUR_MS }, ANY)
    await store.createKey(newKey('app2'), BY)
    await store.deleteKey('app2', ANY)
    const before = await store.getKey('app1')
    const { directory: old } = rig.node
    const node = await rig.reopen()
    t.same([...node.directory.keys], [...old.keys])
    t.equal(node.directory.find(digestOf(secret ?? ''))?.account.disabled, true)
    t.same(await node.store.getKey('app1'), before)
    t.ok((await node.store.createKey(newKey('app3'), BY)).key.version > (before?.version ?? 0))
  })

  test(`${kind}: a key that the directory has no room for is refused, and is not in the database either`, async (t) => {
    const { node } = await open(t)
    await node.store.createKey(newKey('app1'), BY)
    node.directory.room = 1
    const [refused, listed] = await Promise.all([
      rejectionOf(node.store.createKey(newKey('app2'), BY)),
      node.store.listKeys(FIRST_PAGE),
    ])
    t.match(refused, { code: 'storage_full' })
    t.same(
      listed.keys.map(({ name }) => name),
      ['app1'],
    )
    t.equal(await node.store.getKey('app2'), null)
    node.directory.room = 2
    t.ok((await node.store.createKey(newKey('app2'), BY)).secret)
  })
}

function auditSuite(kind: string, open: OpenAccounts): void {
  test(`${kind}: each change has its audit, with what was before and after, and no secret`, async (t) => {
    const { node } = await open(t)
    const { store } = node
    const created = await store.createKey(newKey('app1'), { by: 'ann' })
    await store.createKey(newKey('app1'), { by: 'ann' })
    await rejectionOf(store.createKey(newKey('app1', { tags: ['x'] }), { by: 'ann' }))
    const rotated = await store.rotateKey('app1', { overlapMs: HOUR_MS }, { by: 'bob', ifVersion: null })
    const updated = await store.updateKey('app1', { tags: ['x'] }, { by: 'bob', ifVersion: null })
    await store.deleteKey('app1', { by: 'eve', ifVersion: null })
    const { team } = await store.createTeam(newTeam('blue'), BY)
    await store.updateTeam('blue', { disabled: true }, ANY)
    await store.deleteTeam('blue', ANY)
    await store.appendAudit({ atMs: 5, by: 'ann', action: 'stream.cancel', target: 's1', before: null, after: null })
    const all = await everyEntry(store)
    t.same(
      all.map(({ by, action, target }) => `${by} ${action} ${target}`),
      [
        ...['ann stream.cancel s1', 'admin team.delete blue', 'admin team.update blue', 'admin team.create blue'],
        ...['eve key.delete app1', 'bob key.update app1', 'bob key.rotate app1', 'ann key.create app1'],
      ],
    )
    t.same(all[7]?.after, created.key)
    t.same([all[6]?.before, all[6]?.after], [created.key, rotated.key])
    t.same([all[5]?.before, all[5]?.after], [rotated.key, updated])
    t.match([all[4]?.before, all[4]?.after], [{ tags: ['x'] }, null])
    t.match([all[3]?.before, all[3]?.after], [null, team])
    const text = JSON.stringify(all)
    for (const secret of [created.secret, rotated.secret]) {
      t.notOk(text.includes(secret ?? 'none'))
      t.notOk(text.includes(digestOf(secret ?? '')))
    }
  })
}

/** The ids of the next change that the loop hears of. */
function nextChange(store: AccountsStore): Promise<readonly string[]> {
  return new Promise((resolve) => {
    const end = store.subscribe(({ ids }) => {
      end()
      resolve(ids)
    })
  })
}

/** In pages of three. */
async function everyEntry(store: AccountsStore): Promise<AuditRecord[]> {
  const entries: AuditRecord[] = []
  for (let after: number | null = null; ; ) {
    const page: { entries: AuditRecord[]; next: number | null } = await store.listAudit({ after, limit: 3 })
    entries.push(...page.entries)
    if (page.next === null) return entries
    after = page.next
  }
}
