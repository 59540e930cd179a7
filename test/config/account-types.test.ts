// Who needs a key.
import { test } from 'tap'
import { needsKeys } from '../../src/config/account-types.js'
import { load, refusalOf } from './sources.js'

test('with a store of accounts every request needs a key, also while there is none', async (t) => {
  t.equal(needsKeys(load('').config), false)
  t.equal(needsKeys(load('keys: [{ name: a, key: "key-of-a-0123456789" }]').config), true)
  t.equal(needsKeys(load('accounts: { store: sqlite }').config), true)
})

test('so it may listen on any address, and share answers', async (t) => {
  t.match(
    refusalOf(() => load('server: { host: 0.0.0.0 }')),
    /set keys, accounts\.store, API_KEYS/,
  )
  const text =
    'server: { host: 0.0.0.0 }\naccounts: { store: sqlite }\nmodels: { m: { targets: [sim/echo], coalesce: true } }'
  t.match(load(`${text}\nproviders: { sim: {} }`).config, { server: { host: '0.0.0.0' } })
})

test('the file is found from the working directory, and off is a word', async (t) => {
  t.match(load('accounts: { store: off }').config.accounts, {
    store: 'off',
    path: /^\/.*\/data\/accounts\.db$/,
    maxKeys: 100_000,
  })
})
