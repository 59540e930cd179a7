// The admin API as commands reach it, and the tables that they print.
import { test } from 'tap'
import { openAdminApi, tableOf } from '../../../src/admin/command/admin-api.js'
import { adminContext, READ_KEY, startAdmin } from '../../helpers/admin.js'
import { rejectionOf } from '../../helpers/thrown.js'

test('columns have the same width, numbers are aligned to the right', async (t) => {
  const rows = [
    ['NAME', 'COUNT'],
    ['a', '1'],
    ['longer', '1000000'],
  ]
  t.strictSame(tableOf(rows), ['NAME    COUNT', 'a       1', 'longer  1000000'])
  t.strictSame(tableOf(rows, 1), ['NAME      COUNT', 'a             1', 'longer  1000000'])
  t.strictSame(tableOf([]), [])
})

test('an answer is read as JSON or as it is, a refusal is said without the key', async (t) => {
  const { url } = await startAdmin(t, adminContext([]).context)
  const before = process.env.ADMIN_KEY
  t.teardown(() => {
    if (before === undefined) delete process.env.ADMIN_KEY
    else process.env.ADMIN_KEY = before
  })
  process.env.ADMIN_KEY = READ_KEY
  const api = openAdminApi({ url: `${url}/`, overrides: {} })
  t.match(await api.ask('GET', '/keys'), { data: [] })
  const { text, headers } = await api.read('GET', '/keys')
  t.match(text, /^\{"data":\[\]/)
  t.match(headers.get('content-type'), /^application\/json/)
  const refused = await rejectionOf(api.read('GET', '/nothing'))
  t.match(refused.message, /^the gateway answered 404: /)
  t.notMatch(refused.message, READ_KEY)
})
