// The digest of a request: equal only for what asks the same.
import fc from 'fast-check'
import { test } from 'tap'
import { type DigestParts, digestRequest, hashBody } from '../../../src/streams/sharing/digest.js'

const bytes = (text: string) => new Uint8Array(Buffer.from(text))
const BASE: DigestParts = {
  scope: 'owner',
  surfaceId: 'surface',
  path: null,
  parameterHeaders: {},
  model: 'fast',
  prompt: null,
  bodyHash: bytes('hash'),
}

test('each part that decides the answer changes the digest', (t) => {
  const path = { streams: false, provider: null, callerKey: null }
  const changes: Partial<DigestParts>[] = [
    { scope: 'other' },
    { surfaceId: 'other' },
    { path },
    { path: { ...path, streams: true } },
    { path: { ...path, provider: 'north' } },
    { path: { ...path, callerKey: 'k' } },
    { path: { ...path, callerKey: 'l' } },
    { parameterHeaders: { beta: 'x' } },
    { parameterHeaders: { beta: 'y' } },
    { parameterHeaders: { bet: 'ax' } },
    { parameterHeaders: { beta: 'x', gamma: 'y' } },
    { model: null },
    { model: '' },
    { model: 'slow' },
    { prompt: '' },
    { prompt: 'text' },
    { bodyHash: bytes('hasi') },
  ]
  const digests = [BASE, ...changes.map((change) => ({ ...BASE, ...change }))].map(digestRequest)
  t.equal(new Set(digests).size, digests.length)
  t.equal(digestRequest({ ...BASE }), digests[0], 'and nothing else does')
  t.end()
})

test('the order of headers is of no account', (t) => {
  const one = digestRequest({ ...BASE, parameterHeaders: { a: '1', b: '2' } })
  t.equal(digestRequest({ ...BASE, parameterHeaders: { b: '2', a: '1' } }), one)
  t.end()
})

test('no two lists of parts run together', (t) => {
  const text = fc.string({ maxLength: 6 })
  const parts = fc.record({ scope: text, surfaceId: text, model: fc.option(text), prompt: fc.option(text) })
  fc.assert(
    fc.property(parts, parts, (one, other) => {
      const isSame = JSON.stringify(one) === JSON.stringify(other)
      return (digestRequest({ ...BASE, ...one }) === digestRequest({ ...BASE, ...other })) === isSame
    }),
  )
  t.not(
    digestRequest({ ...BASE, scope: 'ab', surfaceId: 'c' }),
    digestRequest({ ...BASE, scope: 'a', surfaceId: 'bc' }),
    'as they would without their lengths',
  )
  t.end()
})

test('a large body is hashed elsewhere, to the same hash', async (t) => {
  const small = new Uint8Array(256 * 1024).fill(1)
  const large = new Uint8Array(256 * 1024 + 1).fill(1)
  t.not(hashBody(small) instanceof Promise, true)
  const hashing = hashBody(large)
  t.ok(hashing instanceof Promise)
  const { createHash } = await import('node:crypto')
  t.same(Buffer.from(await hashing), createHash('sha256').update(large).digest())
  t.same(Buffer.from(await hashBody(small)), createHash('sha256').update(small).digest())
})
