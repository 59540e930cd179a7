// Teams by the admin API, over the real listener and a real database.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { createDirectoryMemory } from '../../../src/accounts/directory/memory.js'
import { openNode } from '../../helpers/accounts-rig.js'
import { adminContext, READ_KEY, startAdmin } from '../../helpers/admin.js'

async function setUp(t: Test) {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-admin-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const start = {
    database: { store: 'sqlite', path: join(folder, 'accounts.db') } as const,
    directory: createDirectoryMemory(10),
    fileKeys: [],
    clockOffset: null,
  }
  const node = await openNode(t, start)
  const { context, events } = adminContext([], { accounts: () => node.store })
  return { ...(await startAdmin(t, context)), events }
}

test('a team is created once, changed by its version, and deleted when it has no keys', async (t) => {
  const { ask, events } = await setUp(t)
  const body = { name: 'blue', models: ['gpt*'], limits: { concurrency: 4 } }
  const created = await ask('POST', '/teams', { body })
  t.match(created, { status: 201, json: { id: /^team_/, name: 'blue', models: ['gpt*'], disabled: false } })
  t.equal((await ask('POST', '/teams', { body })).status, 200)
  t.equal((await ask('POST', '/teams', { body: { name: 'blue' } })).status, 409)
  t.same((await ask('GET', '/teams/blue', { key: READ_KEY })).json, created.json)
  const changed = await ask('PATCH', '/teams/blue', { body: { disabled: true }, ifMatch: created.etag })
  t.match(changed, { status: 200, json: { disabled: true, models: ['gpt*'], limits: { concurrency: 4 } } })
  t.equal((await ask('PATCH', '/teams/blue', { body: { disabled: false }, ifMatch: created.etag })).status, 412)
  await ask('POST', '/keys', { body: { name: 'app1', team: 'blue' } })
  await ask('POST', '/keys', { body: { name: 'app2' } })
  t.same((await ask('GET', '/keys?team=blue')).json.data.length, 1)
  t.equal((await ask('DELETE', '/teams/blue')).status, 409, 'it has a key')
  await ask('DELETE', '/keys/app1')
  t.equal((await ask('DELETE', '/teams/blue', { ifMatch: created.etag })).status, 412)
  t.equal((await ask('DELETE', '/teams/blue', { ifMatch: changed.etag })).status, 204)
  t.equal((await ask('GET', '/teams/blue')).status, 404)
  const actions = events.map(({ action }) => action).filter((action) => action.startsWith('team'))
  t.same(actions, ['team.create', 'team.update', 'team.delete'])
})

test('teams come in pages; without a database there are none', async (t) => {
  const { ask } = await setUp(t)
  for (const name of ['a', 'b', 'c']) await ask('POST', '/teams', { body: { name } })
  const page = await ask('GET', '/teams?limit=2')
  t.match(page.json, { data: [{ name: 'a' }, { name: 'b' }], next: 'b' })
  t.match((await ask('GET', '/teams?after=b')).json, { data: [{ name: 'c' }], next: null })
  const none = await startAdmin(t, adminContext([]).context)
  t.same((await none.ask('GET', '/teams')).json, { data: [], next: null })
  t.equal((await none.ask('GET', '/teams/a')).status, 404)
  t.equal((await none.ask('POST', '/teams', { body: { name: 'a' } })).status, 409)
  t.equal((await none.ask('DELETE', '/teams/a')).status, 409)
})
