// Keys in subprotocols, plain and in base64url.
import { test } from 'tap'
import { credentialOf } from '../../../src/server/websocket/credential.js'

test('finds the key wherever it is offered, in either spelling', async (t) => {
  t.equal(credentialOf(['sluice.v1']), '')
  t.equal(credentialOf(['bearer.good', 'sluice.v1']), 'Bearer good')
  t.equal(credentialOf(['sluice.v1', 'bearer64.Z29vZA']), 'Bearer good')
  const key = 'aZ09+/=~ é"'
  t.equal(credentialOf([`bearer64.${Buffer.from(key).toString('base64url')}`]), `Bearer ${key}`)
})

test('takes what is no base64url as it is, which no key is', async (t) => {
  for (const text of ['Z29vZA==', 'Z29v ZA', '']) t.equal(credentialOf([`bearer64.${text}`]), `Bearer ${text}`)
})

test('refuses two keys, as two headers are refused', async (t) => {
  for (const two of [
    ['bearer.a', 'bearer.b'],
    ['bearer.a', 'bearer64.Yg'],
  ]) {
    t.throws(() => credentialOf(two), { message: /API key/ })
  }
})
