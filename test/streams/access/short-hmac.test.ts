// HMAC by two hashes: the same as Node's own, for every key that fits a block and every text.
import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { test } from 'tap'
import { ShortHmac } from '../../../src/streams/access/short-hmac.js'

test('it is HMAC-SHA-256: RFC 4231, test cases 1 and 2', async (t) => {
  const hexOf = (mac: string): string => Buffer.from(mac, 'base64url').toString('hex')
  const first = new ShortHmac(Buffer.alloc(20, 0x0b)).sign('Hi There')
  t.equal(hexOf(first), 'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7')
  const second = new ShortHmac(Buffer.from('Jefe')).sign('what do ya want for nothing?')
  t.equal(hexOf(second), '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843')
})

test('for any key up to a block and any texts, one after the other, it is what Node says', async (t) => {
  const keys = fc.uint8Array({ maxLength: 64 })
  const texts = fc.array(fc.string({ unit: 'grapheme', maxLength: 700 }), { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(keys, texts, (key, list) => {
      const hmac = new ShortHmac(key)
      for (const text of list) {
        if (hmac.sign(text) !== createHmac('sha256', key).update(text).digest('base64url')) return false
      }
      return true
    }),
  )
  t.pass()
})

test('a key that is longer than a block is refused', async (t) => {
  t.throws(() => new ShortHmac(new Uint8Array(65)), RangeError)
})
