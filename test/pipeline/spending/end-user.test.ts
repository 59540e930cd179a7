import { test } from 'tap'
import { type Asked, endUserOf, trustedUserOf } from '../../../src/pipeline/spending/end-user.js'

type Case = {
  readonly header?: string
  readonly body?: string
  readonly trusts?: boolean
  readonly token?: string | null
}

function asked({ header, body, trusts = true, token }: Case): Asked {
  const key = { index: 1, name: 'app', owner: 'key_app', account: { trustUser: trusts } }
  const ofToken = token === undefined ? {} : { token: { user: token } }
  const parameterHeaders = header === undefined ? {} : { 'x-sluice-user': header }
  return {
    request: { key: { ...key, ...ofToken }, parameterHeaders },
    decoded: { facts: body === undefined ? {} : { endUser: body } },
  }
}

test('the end user is that of the header, or else of the body', (t) => {
  t.equal(endUserOf(asked({ header: 'anna', body: 'ben' })), 'anna')
  t.equal(endUserOf(asked({ body: 'ben' })), 'ben')
  t.equal(endUserOf(asked({ header: '', body: 'ben' })), 'ben')
  t.equal(endUserOf(asked({})), null)
  t.equal(endUserOf(asked({ header: 'x'.repeat(300) }))?.length, 256)
  t.equal(endUserOf({ ...asked({}), decoded: null }), null, 'before its body is read')
  t.end()
})

test('it counts where the key is trusted, and of a browser token only what was signed', (t) => {
  t.equal(trustedUserOf(asked({ header: 'anna' })), 'anna')
  t.equal(trustedUserOf(asked({ header: 'anna', trusts: false })), null)
  t.equal(trustedUserOf(asked({ header: 'anna', token: 'ben' })), 'ben')
  t.equal(trustedUserOf(asked({ header: 'anna', body: 'anna', token: null })), null, 'a page names nobody')
  t.equal(endUserOf(asked({ header: 'anna', token: 'ben' })), 'ben')
  t.equal(trustedUserOf(asked({ token: 'ben', trusts: false })), null)
  t.end()
})
