// What every store of keys and teams must hold, whatever database keeps it: one suite, run over each of them.
import { type Test, test } from 'tap'
import { digestOfUser, userBudgetId } from '../../src/accounts/budgets/user-slots.js'
import { windowAt, windowStartMs } from '../../src/accounts/budgets/windows.js'
import { digestOf } from '../../src/accounts/secret.js'
import { type AccountsEvent, type AccountsStore } from '../../src/accounts/store.js'
import { type AuditRecord, MAX_SECRETS, type SpendBatch } from '../../src/accounts/types.js'
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
const DAY_MS = 86_400_000
const FIRST_PAGE = { after: null, limit: 100 }

/** Runs the whole suite over one kind of store. */
export function accountsSuite(kind: string, open: OpenAccounts): void {
  keySuite(kind, open)
  secretSuite(kind, open)
  teamSuite(kind, open)
  orderSuite(kind, open)
  auditSuite(kind, open)
  budgetSuite(kind, open)
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
  test(`${kind}: providers that are paused are there after a start, until they are resumed`, async (t) => {
    const { node, reopen } = await open(t)
    for (const name of ['south', 'north', 'north']) await node.store.setPaused(name, true, BY)
    t.same(await node.store.listPaused(), ['north', 'south'])
    const again = await reopen()
    await again.store.setPaused('south', false, BY)
    await again.store.setPaused('east', false, BY)
    t.same(await again.store.listPaused(), ['north'])
  })

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

const USD = 1_000_000_000

function budgetSuite(kind: string, open: OpenAccounts): void {
  test(`${kind}: a budget is created once, changed by its version, and deleted with what was spent`, async (t) => {
    const { node } = await open(t)
    const { store } = node
    const input = { name: 'all', scope: 'gateway', unit: 'usd', limit: 9_000_000 * USD, per: 'month' } as const
    const { budget, isNew } = await store.createBudget(input, BY)
    t.ok(isNew)
    t.match(budget, { ...input, id: /^budget_/, spent: 0, reserved: 0, isInline: false })
    t.same(await store.createBudget(input, BY), { budget, isNew: false })
    t.match(await rejectionOf(store.createBudget({ ...input, limit: 5 }, BY)), { code: 'conflict' })
    t.same(await store.getBudget('all'), budget)
    const changed = await store.updateBudget(
      'all',
      { unit: 'usd', limit: 7 },
      { by: 'admin', ifVersion: budget.version },
    )
    t.match(changed, { id: budget.id, limit: 7 })
    const stale = { by: 'admin', ifVersion: budget.version }
    t.match(await rejectionOf(store.updateBudget('all', { unit: 'usd', limit: 8 }, stale)), {
      code: 'precondition_failed',
    })
    t.match(await rejectionOf(store.deleteBudget('all', stale)), { code: 'precondition_failed' })
    t.match(await rejectionOf(store.updateBudget('all', { unit: 'tokens', limit: 8 }, ANY)), {
      code: 'invalid_request',
    })
    await store.addSpend([batchOf('j', 1, [budget.id, 0, 5])], [])
    await store.deleteBudget('all', ANY)
    t.equal(await store.getBudget('all'), null)
    t.match(await rejectionOf(store.deleteBudget('all', ANY)), { code: 'not_found' })
    const anew = await store.createBudget({ ...input, per: 'total' }, BY)
    t.match(anew.budget, { spent: 0, limit: input.limit }, 'a new one inherits nothing')
    const actions = (await everyEntry(store)).map(({ action }) => action)
    t.same(actions, ['budget.create', 'budget.delete', 'budget.update', 'budget.create'])
  })

  test(`${kind}: a budget of a key or team belongs to its id, and goes with it`, async (t) => {
    const { node } = await open(t)
    const { store } = node
    await store.createTeam(newTeam('blue'), BY)
    const { key } = await store.createKey(newKey('app1', { team: 'blue' }), BY)
    const terms = { unit: 'tokens', limit: 100, per: 'day' } as const
    t.match(await store.createBudget({ ...terms, name: 'b1', scope: 'key:app1' }, BY), {
      budget: { scope: 'key:app1' },
    })
    t.match(await store.createBudget({ ...terms, name: 'b1', scope: `key:${key.id}` }, BY), { isNew: false })
    await store.createBudget({ ...terms, name: 'b2', scope: 'team:blue' }, BY)
    for (const scope of ['key:none', 'team:app1']) {
      t.match(await rejectionOf(store.createBudget({ ...terms, name: 'x', scope }, BY)), { code: 'not_found' }, scope)
    }
    for (const scope of ['', 'keys', 'users', 'user:', 'user:tag:x', 'model:']) {
      t.match(
        await rejectionOf(store.createBudget({ ...terms, name: 'x', scope }, BY)),
        { code: 'invalid_request' },
        scope,
      )
    }
    await store.createBudget({ ...terms, name: 'b3', scope: 'model:gpt*' }, BY)
    await store.createBudget({ ...terms, name: 'b4', scope: 'tag:night' }, BY)
    const page = await store.listBudgets({ after: 'b1', limit: 2 })
    t.match(page, { budgets: [{ name: 'b2', scope: 'team:blue' }, { scope: 'model:gpt*' }], next: 'b3' })
    t.match(await store.listBudgets({ after: 'b3', limit: 2 }), { budgets: [{ scope: 'tag:night' }], next: null })
    await store.deleteKey('app1', ANY)
    t.equal(await store.getBudget('b1'), null)
    await store.deleteTeam('blue', ANY)
    t.equal(await store.getBudget('b2'), null)
    t.ok(await store.getBudget('b3'))
  })

  test(`${kind}: a budget of end users tells them apart, over a restart too, and goes with its key`, async (t) => {
    const { node, reopen } = await open(t)
    const { store } = node
    await store.createTeam(newTeam('blue'), BY)
    await store.createKey(newKey('app1', { team: 'blue' }), BY)
    const terms = { unit: 'usd', limit: 100, per: 'month' } as const
    const { budget } = await store.createBudget({ ...terms, name: 'b1', scope: 'user:key:app1' }, BY)
    t.match(budget, { scope: 'user:key:app1', users: 0, spent: 0 })
    t.match(await store.createBudget({ ...terms, name: 'b2', scope: 'user:team:blue' }, BY), {
      budget: { scope: 'user:team:blue' },
    })
    t.match(await store.createBudget({ ...terms, name: 'b3', scope: 'user' }, BY), { budget: { scope: 'user' } })
    const start = windowStartMs('month', windowAt('month', Date.now()))
    await store.addSpend([batchOf('j', 1, [userBudgetId(budget.id, digestOfUser('anna')), start, 40])], [])
    const refund = { unit: 'usd', amount: -10, reason: 'gift' } as const
    t.match(await rejectionOf(store.adjustBudget('b1', refund, BY)), { code: 'invalid_request', param: 'user' })
    t.match(await rejectionOf(store.adjustBudget('b1', { ...refund, user: 'ben' }, BY)), { code: 'invalid_request' })
    await store.adjustBudget('b1', { ...refund, amount: 5, user: 'ben' }, BY)
    t.match(await store.getBudget('b1', 'ben'), { spent: 5, users: null })
    const again = (await reopen()).store
    t.match(await again.getBudget('b1', 'anna'), { spent: 40, users: null })
    t.match(await again.getBudget('b1', 'cleo'), { spent: 0 })
    t.match(await again.getBudget('b1'), { spent: 45, users: 2 })
    await again.createBudget({ ...terms, name: 'b4', scope: 'gateway' }, BY)
    t.match(await rejectionOf(again.getBudget('b4', 'anna')), { code: 'invalid_request', param: 'user' })
    await again.deleteKey('app1', ANY)
    t.equal(await again.getBudget('b1'), null)
    await again.deleteTeam('blue', ANY)
    t.equal(await again.getBudget('b2'), null)
    t.ok(await again.getBudget('b3'))
  })

  test(`${kind}: budgets that are given with a key or team belong to it, and keep what was spent`, async (t) => {
    const { node } = await open(t)
    const { store } = node
    const month = { unit: 'usd', limit: 50 * USD, per: 'month' } as const
    const day = { unit: 'tokens', limit: 1000, per: 'day' } as const
    const input = newKey('app1', { budgets: [month, day] })
    const { key } = await store.createKey(input, BY)
    t.same(key.budgets, [day, month], 'in the order of their periods')
    t.match(await store.createKey(input, BY), { secret: null }, 'the same again')
    t.match(await rejectionOf(store.createKey(newKey('app1'), BY)), { code: 'conflict' })
    const listed = await store.listBudgets(FIRST_PAGE)
    t.same(
      listed.budgets.map(({ name, scope, isInline }) => [name, scope, isInline]),
      [
        ['key:app1:day:tokens', 'key:app1', true],
        ['key:app1:month', 'key:app1', true],
      ],
    )
    await store.adjustBudget('key:app1:month', { unit: 'usd', amount: 20 * USD, reason: 'moved' }, BY)
    const less = { ...month, limit: 40 * USD }
    const updated = await store.updateKey('app1', { budgets: [less] }, ANY)
    t.same(updated.budgets, [less])
    t.match(await store.getBudget('key:app1:month'), { limit: 40 * USD, spent: 20 * USD })
    t.equal(await store.getBudget('key:app1:day:tokens'), null)
    const tagged = await store.updateKey('app1', { tags: ['x'] }, ANY)
    t.same(tagged.budgets, [less], 'absent: as they were')
    await store.updateBudget('key:app1:month', { unit: 'usd', limit: 1 }, ANY)
    const seen = await store.getKey('app1')
    t.match(seen, { budgets: [{ limit: 1 }] })
    t.not(seen?.version, tagged.version, 'the key is another one for its readers')
    await store.deleteBudget('key:app1:month', ANY)
    t.match(await store.getKey('app1'), { budgets: [] })
    const twice = newKey('app2', { budgets: [month, { ...month, limit: 1 }] })
    t.match(await rejectionOf(store.createKey(twice, BY)), { code: 'invalid_request', param: 'budgets' })
    t.equal(await store.getKey('app2'), null)
    const { team } = await store.createTeam(newTeam('blue', { budgets: [month] }), BY)
    t.same(team.budgets, [month])
    t.match(await store.createTeam(newTeam('blue', { budgets: [month] }), BY), { isNew: false })
    t.same((await store.listTeams(FIRST_PAGE)).teams[0]?.budgets, [month])
    t.same((await store.updateTeam('blue', { budgets: [] }, ANY)).budgets, [])
    t.equal(await store.getBudget('team:blue:month'), null)
  })

  test(`${kind}: what is spent is added once, to its own window, and is there after a start`, async (t) => {
    const rig = await open(t)
    const { store } = rig.node
    const { budget } = await store.createBudget(
      { name: 'all', scope: 'gateway', unit: 'usd', limit: USD, per: 'total' },
      BY,
    )
    const day = await store.createBudget({ name: 'day', scope: 'gateway', unit: 'tokens', limit: 100, per: 'day' }, BY)
    const today = Math.floor(Date.now() / DAY_MS) * DAY_MS
    const batch = batchOf('one', 2, [budget.id, 0, 30], [day.budget.id, today, 5], [day.budget.id, today - DAY_MS, 50])
    await store.addSpend([batch, batchOf('two', 1, [budget.id, 0, 3], ['budget_gone', 0, 9])], [])
    await store.addSpend([batch], [])
    await store.addSpend([batchOf('one', 3, [budget.id, 0, 4])], ['two'])
    const again = await rig.reopen()
    t.match(await again.store.getBudget('all'), { spent: 37 })
    t.match(await again.store.getBudget('day'), { spent: 5 }, 'tokens of this window')
  })

  test(`${kind}: an adjustment counts at once, and a refund is of no more than was spent`, async (t) => {
    const rig = await open(t)
    const { store } = rig.node
    const terms = { name: 'all', scope: 'gateway', unit: 'usd', limit: USD, per: 'hour' } as const
    await store.createBudget(terms, BY)
    const adjust = (amount: number, unit: 'usd' | 'tokens' = 'usd') =>
      store.adjustBudget('all', { unit, amount, reason: 'refund' }, { by: 'ann' })
    await adjust(50)
    await adjust(-20)
    t.match(await store.getBudget('all'), { spent: 30, limit: USD })
    t.match(await rejectionOf(adjust(-31)), { code: 'invalid_request', param: 'usd' })
    t.match(await rejectionOf(adjust(1, 'tokens')), { code: 'invalid_request', param: 'tokens' })
    t.match((await everyEntry(store))[0], {
      ...{ by: 'ann', action: 'budget.adjust', target: 'all', before: { spent: 50 } },
      after: { spent: 30, reason: 'refund' },
    })
    rig.advance(HOUR_MS)
    t.match(await store.getBudget('all'), { spent: 0 }, 'the next window')
    t.match(await rejectionOf(adjust(-1)), { code: 'invalid_request' })
  })
}

type Spent = readonly [budgetId: string, windowStartMs: number, amount: number]

/** The same number of nano-dollars and tokens. */
function batchOf(journal: string, sequence: number, ...spent: readonly Spent[]): SpendBatch {
  const charges = spent.map(([budgetId, windowStartMs, amount]) => {
    return { budgetId, windowStartMs, nano: amount, tokens: amount }
  })
  return { journal, sequence, charges }
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
