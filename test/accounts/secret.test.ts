// Secrets and ids of keys: their form, and what is kept of them.
import { createHash, randomBytes } from 'node:crypto'
import { test } from 'tap'
import { createId, createSecret, digestOf } from '../../src/accounts/secret.js'
import { maskKeys } from '../../src/wire/mask-keys.js'

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const fill = (byte: number) => (size: number) => new Uint8Array(size).fill(byte)

test('a secret is a prefix and 43 base62 digits, whatever the bytes', async (t) => {
  for (const byte of [0, 1, 127, 255]) t.match(createSecret(fill(byte)).secret, /^sk-sluice-[0-9A-Za-z]{43}$/)
  t.equal(createSecret(fill(0)).secret, `sk-sluice-${'0'.repeat(43)}`)
  t.equal(new Set(Array.from({ length: 1000 }, () => createSecret(randomBytes).secret)).size, 1000)
})

test('its digits carry all 256 bits', async (t) => {
  const asked: number[] = []
  const bytes = randomBytes(32)
  const { secret } = createSecret((size) => {
    asked.push(size)
    return bytes
  })
  t.same(asked, [32])
  const number = [...secret.slice('sk-sluice-'.length)].reduce(
    (sum, digit) => sum * 62n + BigInt(BASE62.indexOf(digit)),
    0n,
  )
  t.equal(number.toString(16).padStart(64, '0'), bytes.toString('hex'))
})

test('what is kept is its SHA-256 and its last four characters', async (t) => {
  const { secret, digest, hint } = createSecret(randomBytes)
  t.equal(digest, createHash('sha256').update(secret).digest('hex'))
  t.equal(digestOf(secret), digest)
  t.equal(hint, secret.slice(-4))
})

test('a secret is masked by its form wherever texts are masked', async (t) => {
  const { secret } = createSecret(randomBytes)
  t.notMatch(maskKeys(`refused "${secret}".`), secret.slice('sk-sluice-'.length))
})

test('an id names its kind and has 20 base62 digits', async (t) => {
  t.match(createId('key', randomBytes), /^key_[0-9A-Za-z]{20}$/)
  t.match(createId('team', fill(255)), /^team_[0-9A-Za-z]{20}$/)
  t.equal(new Set(Array.from({ length: 1000 }, () => createId('key', randomBytes))).size, 1000)
})
