import { test } from 'tap'
import {
  createSharedSecret,
  readSharedSecret,
  writeSharedSecret,
} from '../../../src/accounts/directory/shared-secret.js'

test('a secret is there once it was written, in memory that nobody can change through a copy', (t) => {
  const memory = createSharedSecret()
  t.equal(readSharedSecret(memory), null)
  const secret = Uint8Array.from({ length: 32 }, (_, i) => 255 - i)
  writeSharedSecret(memory, secret)
  const read = readSharedSecret(memory)
  t.same(read, secret)
  read?.fill(0)
  t.same(readSharedSecret(memory), secret)
  t.end()
})
