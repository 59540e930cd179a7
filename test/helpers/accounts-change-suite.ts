// What every store must hold of teams, of the order of changes, and of their audit.
import { test } from 'tap'
import { digestOf } from '../../src/accounts/secret.js'
import { type AccountsEvent, type AccountsStore } from '../../src/accounts/store.js'
import { everyEntry, newKey, newTeam, type OpenAccounts } from './accounts-rig.js'
import { rejectionOf } from './thrown.js'

const BY = { by: 'admin' }
const ANY = { by: 'admin', ifVersion: null }
const HOUR_MS = 3_600_000
const FIRST_PAGE = { after: null, limit: 100 }

/** Teams, with their keys. */
export function teamSuite(kind: string, open: OpenAccounts): void {
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

/** The one order of all changes, and who hears of them. */
export function orderSuite(kind: string, open: OpenAccounts): void {
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

/** What is written down of changes. */
export function auditSuite(kind: string, open: OpenAccounts): void {
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

/** The ids of the next change that the loop hears of. */
function nextChange(store: AccountsStore): Promise<readonly string[]> {
  return new Promise((resolve) => {
    const end = store.subscribe(({ ids }) => {
      end()
      resolve(ids)
    })
  })
}
