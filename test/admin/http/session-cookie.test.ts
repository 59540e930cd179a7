// The cookie of a session: which one of several it is, and its attributes.
import { test } from 'tap'
import { readSessionCookie, writeSessionCookie } from '../../../src/admin/http/session-cookie.js'

test('the cookie of this port is found among others', async (t) => {
  const header = 'a=1; sluice-admin-3001=one; sluice-admin=none; sluice-admin-3002=two'
  t.equal(readSessionCookie(header, '127.0.0.1:3001'), 'one')
  t.equal(readSessionCookie(header, '[::1]:3002'), 'two')
  t.equal(readSessionCookie(header, 'admin.example'), 'none')
  t.equal(readSessionCookie(header, '127.0.0.1:3003'), '')
  t.equal(readSessionCookie('', '127.0.0.1:3001'), '')
})

test('no script reads it and no other site has it sent; over TLS it goes nowhere else', async (t) => {
  const plain = writeSessionCookie('abc', { host: '127.0.0.1:3001', isTls: false })
  t.equal(plain, 'sluice-admin-3001=abc; Path=/admin/v1; Max-Age=43200; HttpOnly; SameSite=Strict')
  t.equal(writeSessionCookie('abc', { host: 'a:1', isTls: true }).endsWith('; SameSite=Strict; Secure'), true)
  t.match(writeSessionCookie('', { host: 'a', isTls: false }), /^sluice-admin=; .*Max-Age=0;/)
})
