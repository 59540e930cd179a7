// Who asks the admin API, by which header, and what each may do.
import { createHash } from 'node:crypto'
import { test } from 'tap'
import { AdminKeys, requireRole } from '../../src/admin/admin-keys.js'
import { thrownBy } from '../helpers/thrown.js'

const hash = (key: string): string => createHash('sha256').update(key).digest('hex')
const KEYS = new AdminKeys([
  { name: 'oncall', keySha256: hash('write-key-0123456789'), role: 'write' },
  { name: 'board', keySha256: hash('read-key-0123456789'), role: 'read' },
])

test('a key is found by its bearer header alone', async (t) => {
  t.same(KEYS.find('Bearer write-key-0123456789'), { name: 'oncall', role: 'write' })
  t.same(KEYS.find('bearer  read-key-0123456789 '), { name: 'board', role: 'read' })
  const none = [
    '',
    'Bearer',
    'Bearer ',
    'write-key-0123456789',
    'Basic write-key-0123456789',
    'Bearer write-key-012345678',
  ]
  for (const header of [...none, 'Bearer read-key-0123456789 x', `Bearer ${'x'.repeat(10_000)}`]) {
    t.equal(KEYS.find(header), null, header.slice(0, 40))
  }
})

test('a key of role read changes nothing', async (t) => {
  t.doesNotThrow(() => requireRole({ name: 'a', role: 'read' }, 'read'))
  t.doesNotThrow(() => requireRole({ name: 'a', role: 'write' }, 'read'))
  t.doesNotThrow(() => requireRole({ name: 'a', role: 'write' }, 'write'))
  t.match(
    thrownBy(() => requireRole({ name: 'a', role: 'read' }, 'write')),
    { code: 'forbidden' },
  )
})
