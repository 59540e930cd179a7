// Keys by the admin API, over the real listener and a real database: creation, secrets, versions, rotation, and the keys of the file.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { createDirectoryMemory } from '../../../src/accounts/directory/memory.js'
import { digestOf } from '../../../src/accounts/secret.js'
import { openNode } from '../../helpers/accounts-rig.js'
import { adminContext, READ_KEY, startAdmin } from '../../helpers/admin.js'

const FILE_KEY = {
  ...{ name: 'of-the-file', keySha256: '0'.repeat(64), models: ['gpt*'] },
  limits: { requestsPerMinute: 5, tokensPerMinute: null, concurrency: null, requestWindowSeconds: 60 },
}

async function setUp(t: Test) {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-admin-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const start = {
    database: { store: 'sqlite', path: join(folder, 'accounts.db') } as const,
    directory: createDirectoryMemory(10),
    fileKeys: [FILE_KEY.name],
    clockOffset: null,
  }
  const node = await openNode(t, start)
  const { context, events } = adminContext([], { accounts: () => node.store, fileKeys: () => [FILE_KEY] })
  return { ...(await startAdmin(t, context)), node, events }
}

test('a key is created with its secret, which is valid at once and is never shown again', async (t) => {
  const { ask, node, events } = await setUp(t)
  const created = await ask('POST', '/keys', { body: { name: 'app1' } })
  t.equal(created.status, 201)
  const { secret, ...key } = created.json
  t.match(secret, /^sk-sluice-[0-9A-Za-z]{43}$/)
  t.match(key, {
    ...{ id: /^key_/, name: 'app1', source: 'database', team: null, models: ['*'], tags: [], metadata: {} },
    limits: { requestsPerMinute: null, tokensPerMinute: null, concurrency: null },
    ...{ trustUser: false, disabled: false, rotatedAt: null, expiresAt: null, secrets: [{ hint: secret.slice(-4) }] },
  })
  t.equal(node.directory.find(digestOf(secret))?.account.name, 'app1')
  const again = await ask('POST', '/keys', { body: { name: 'app1', models: ['*'] } })
  t.same([again.status, again.json], [200, key])
  t.equal(again.etag, created.etag)
  const other = await ask('POST', '/keys', { body: { name: 'app1', models: ['gpt*'] } })
  t.same([other.status, other.json.error.code], [409, 'conflict'])
  const shown = await ask('GET', '/keys/app1', { key: READ_KEY })
  t.same([shown.status, shown.json, shown.etag], [200, key, created.etag])
  t.match(events, [{ by: 'oncall', action: 'key.create', target: 'app1', before: null }])
  t.equal(events.length, 1)
  t.notMatch(JSON.stringify([again, shown, events, await ask('GET', '/keys')]), secret)
})

test('a change is made to the version that was read, or not at all', async (t) => {
  const { ask, events } = await setUp(t)
  const { etag } = await ask('POST', '/keys', { body: { name: 'app1', metadata: { owner: 'me' } } })
  const limits = { requestsPerMinute: 9, tokensPerMinute: null, concurrency: 2 }
  const body = { limits, disabled: true, expiresAt: '2030-01-01T00:00:00Z' }
  const changed = await ask('PATCH', '/keys/app1', { body, ifMatch: etag })
  t.match(changed, { status: 200, json: { limits, disabled: true, expiresAt: '2030-01-01T00:00:00.000Z' } })
  t.same(changed.json.metadata, { owner: 'me' }, 'what is absent stays')
  const fewer = await ask('PATCH', '/keys/app1', { body: { limits: { concurrency: null } } })
  t.same(fewer.json.limits, { ...limits, concurrency: null }, 'also of the limits')
  t.same((await ask('PATCH', '/keys/app1', { body: { tags: ['a'] } })).json.limits, fewer.json.limits)
  const stale = await ask('PATCH', '/keys/app1', { body: { disabled: false }, ifMatch: etag })
  t.same([stale.status, stale.json.error.code], [412, 'precondition_failed'])
  t.equal((await ask('DELETE', '/keys/app1', { ifMatch: etag })).status, 412)
  t.equal((await ask('PATCH', '/keys/app1', { body: { expiresAt: null } })).json.expiresAt, null)
  t.equal((await ask('PATCH', '/keys/app1', { body: {}, ifMatch: 'x' })).status, 400)
  t.same((await ask('DELETE', '/keys/app1', { ifMatch: '*' })).status, 204)
  t.equal((await ask('GET', '/keys/app1')).status, 404)
  t.equal((await ask('DELETE', '/keys/app1')).status, 404)
  t.same(
    events.map(({ action }) => action),
    ['key.create', ...Array(4).fill('key.update'), 'key.delete'],
  )
  t.match(events[1], { before: { disabled: false }, after: { disabled: true } })
})

test('a rotated key has two valid secrets for a while, or at once only the new one', async (t) => {
  const { ask, node, events } = await setUp(t)
  const first = (await ask('POST', '/keys', { body: { name: 'app1' } })).json.secret
  const rotated = await ask('POST', '/keys/app1/rotate', { body: { overlapMs: 60_000 } })
  t.match(rotated, {
    status: 200,
    json: { secret: /^sk-sluice-/, secrets: [{ validUntil: null }, { validUntil: /Z$/ }] },
  })
  for (const secret of [first, rotated.json.secret]) t.ok(node.directory.find(digestOf(secret)))
  const last = await ask('POST', '/keys/app1/rotate', { body: { overlapMs: 0 } })
  t.equal(last.json.secrets.length, 1)
  t.equal(node.directory.find(digestOf(first)), null)
  t.equal((await ask('POST', '/keys/app1/rotate', { body: { overlapMs: -1 } })).status, 400)
  t.equal((await ask('POST', '/keys/nobody/rotate')).status, 404)
  t.notMatch(JSON.stringify(events), last.json.secret)
})

test('keys of the configuration file are shown on the first page, and not changed', async (t) => {
  const { ask } = await setUp(t)
  for (const name of ['a', 'b', 'c']) await ask('POST', '/keys', { body: { name } })
  const names = ({ json }: { json: { data: { name: string }[] } }) => json.data.map(({ name }) => name)
  const page = await ask('GET', '/keys?limit=2', { key: READ_KEY })
  t.same(names(page), ['of-the-file', 'a', 'b'])
  t.match(page.json.data[0], {
    id: null,
    source: 'file',
    models: ['gpt*'],
    limits: { requestsPerMinute: 5 },
    secrets: [],
  })
  const rest = await ask('GET', `/keys?limit=2&after=${page.json.next}`)
  t.same([names(rest), rest.json.next], [['c'], null])
  t.match(await ask('GET', '/keys/of-the-file'), { status: 200, etag: '', json: { source: 'file' } })
  const changes = [
    ask('POST', '/keys', { body: { name: 'of-the-file' } }),
    ask('PATCH', '/keys/of-the-file', { body: { disabled: true } }),
    ask('POST', '/keys/of-the-file/rotate'),
    ask('DELETE', '/keys/of-the-file'),
  ]
  for (const { status, json } of await Promise.all(changes)) {
    t.same([status, json.error.code], [409, 'conflict'])
    t.match(json.error.message, /configuration file/)
  }
})

test('what is wrong with a key is said by its member', async (t) => {
  const { ask } = await setUp(t)
  const paramOf = async (body: object) => {
    const { status, json } = await ask('POST', '/keys', { body })
    return [status, json.error.param]
  }
  t.same(await paramOf({}), [400, 'name'])
  t.same(await paramOf({ name: 'a b' }), [400, 'name'])
  t.same(await paramOf({ name: 'a', models: [] }), [400, 'models'])
  t.same(await paramOf({ name: 'a', limits: { requestsPerMinute: 0 } }), [400, 'limits.requestsPerMinute'])
  t.same(await paramOf({ name: 'a', limits: { rpm: 5 } }), [400, 'limits.rpm'])
  t.same(await paramOf({ name: 'a', metadata: { x: 5 } }), [400, 'metadata.x'])
  t.same(await paramOf({ name: 'a', expiresAt: 'tomorrow' }), [400, 'expiresAt'])
  t.same(await paramOf({ name: 'a', model: ['x'] }), [400, 'model'])
  t.equal((await ask('POST', '/keys', { body: { name: 'a', team: 'nobody' } })).status, 404)
  t.equal((await ask('POST', '/keys', { key: READ_KEY, body: { name: 'a' } })).status, 403)
})

test('without a database the keys of the file are listed, and nothing is created', async (t) => {
  const { ask } = await startAdmin(t, adminContext([], { fileKeys: () => [FILE_KEY] }).context)
  t.match((await ask('GET', '/keys')).json, { data: [{ name: 'of-the-file' }], next: null })
  t.equal((await ask('GET', '/keys/app1')).status, 404)
  const { status, json } = await ask('POST', '/keys', { body: { name: 'a' } })
  t.equal(status, 409)
  t.match(json.error.message, /accounts\.store is off/)
})

test('what cannot be a name is no key, whatever the database thinks of its characters', async (t) => {
  const { ask } = await setUp(t)
  for (const name of ['%00', 'a%00b', '%ff', '%2e%2e%2fx']) t.equal((await ask('GET', `/keys/${name}`)).status, 404)
  for (const query of ['after=%00', 'team=%00']) t.equal((await ask('GET', `/keys?${query}`)).status, 400)
})
