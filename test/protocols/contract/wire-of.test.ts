// Which dialect is the other half of a surface.
import { test } from 'tap'
import { wireOf } from '../../../src/protocols/contract/wire-of.js'
import { PROTOCOLS } from '../../../src/protocols/index.js'

test('a surface has its own id’s wire unless it names another, which is there', async (t) => {
  t.equal(wireOf({ id: 'a' }), 'a')
  t.equal(wireOf({ id: 'a-b', wire: 'a' }), 'a')
  for (const { surface } of PROTOCOLS) {
    if (surface?.wire === undefined) continue
    const dialect = PROTOCOLS.find(({ id }) => id === surface.wire)?.dialect ?? null
    t.not(dialect, null, surface.id)
    t.equal(surface.payloads === undefined, surface.framing === dialect?.framing, 'payloads are framed anew, or pass')
  }
})
