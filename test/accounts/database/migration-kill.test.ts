// A process that is killed while it makes or migrates the tables: the next one finds them whole or as they were, never in between.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import tap, { type Test, test } from 'tap'
import { migrationsFor } from '../../../src/accounts/database/schema.js'
import { openAccountsFile } from '../../../src/accounts/database/sqlite.js'
import { closeDatabaseFile, openDatabaseFile } from '../../../src/sqlite/database-file.js'
import { startPostgres } from '../../helpers/postgres-server.js'

const CHILD = fileURLToPath(new URL('../../helpers/migration-child.js', import.meta.url))
const APPLICATION_ID = 0x536c4163
/** Statements of a migration after which it is killed, from the first to beyond the last. */
const STATEMENTS = [2, 5, 12, 30]
const ROUNDS = 4

function startChild(t: Test, ...args: readonly string[]) {
  const child = spawn(process.execPath, [CHILD, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  return { child, ended: once(child, 'exit') }
}

const COLUMNS = `select table_name, column_name, data_type, is_nullable from information_schema.columns
  where table_schema = 'sluice' order by table_name, ordinal_position`

const server = await startPostgres(tap)

test('PostgreSQL: killed after any statement, the tables are not there; made again, they are as if nothing had been', async (t) => {
  const whole = await server.createDatabase()
  await startChild(t, 'postgres', whole).ended
  const wanted = await server.run(whole, COLUMNS)
  t.ok(wanted.length > 50)
  for (const statements of STATEMENTS) {
    const url = await server.createDatabase()
    const state = { messages: 0, kill: (): void => undefined }
    const proxy = createServer((client) => {
      const target = connect(server.port, '127.0.0.1')
      for (const socket of [client, target]) socket.on('error', () => undefined)
      target.pipe(client)
      client.on('close', () => target.destroy())
      client.on('data', (bytes) => {
        state.messages += 1
        if (state.messages > statements) state.kill()
        else target.write(bytes)
      })
    })
    proxy.listen(0, '127.0.0.1')
    await once(proxy, 'listening')
    t.teardown(() => proxy.close())
    const { port } = proxy.address() as AddressInfo
    const { child, ended } = startChild(t, 'postgres', url.replace(`:${server.port}/`, `:${port}/`))
    state.kill = () => void child.kill('SIGKILL')
    t.same(await ended, [null, 'SIGKILL'])
    const left = await server.run(url, COLUMNS)
    t.same(left, [], `killed after ${statements}`)
    await startChild(t, 'postgres', url).ended
    t.same(await server.run(url, COLUMNS), wanted)
  }
})

test('SQLite: killed at any moment of a migration, the file is of one version or of another, and the next start ends it', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-migration-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const migrations = migrationsFor('sqlite')
  const kind = { noun: 'account database', applicationId: APPLICATION_ID, migrations: migrations.slice(0, 1) }
  const former = join(folder, 'former.db')
  closeDatabaseFile(openDatabaseFile(former, kind))
  for (let round = 0; round < ROUNDS; round++) {
    const path = join(folder, `${round}.db`)
    // A copy: this process holds the lock of what it has opened until it ends.
    if (round % 2 === 0) copyFileSync(former, path)
    const { child, ended } = startChild(t, 'sqlite', path)
    await once(child.stdout, 'data')
    // The later ones are killed after more of it.
    await new Promise((resolve) => setTimeout(resolve, round * 4))
    child.kill('SIGKILL')
    await ended
    const { db, close } = openAccountsFile(path)
    t.same(await db.selectFrom('state').select('revision').execute(), [{ revision: 0 }])
    t.same(await db.selectFrom('budgets').selectAll().execute(), [])
    await close()
  }
})
