// The lookup within the connect: every address of every answer is looked at, each time anew.
import { type LookupAddress } from 'node:dns'
import { test } from 'tap'
import { createGuardedLookup, type Resolve } from '../../../src/upstream/strangers/guarded-lookup.js'

const STRICT = { allowInsecure: false, allowPrivateNetworks: false }
const PUBLIC = { address: '8.8.8.8', family: 4 }
const PUBLIC_V6 = { address: '2606:4700::1', family: 6 }
const LOOPBACK = { address: '127.0.0.1', family: 4 }

type Found = { readonly error: string | null; readonly addresses: LookupAddress[] }

function ask(resolve: Resolve | undefined, policy = STRICT, hostname = 'x.example'): Promise<Found> {
  const lookup = createGuardedLookup(policy, resolve)
  return new Promise((done) => {
    lookup(hostname, { all: true }, (error, found) => {
      done({ error: error?.message ?? null, addresses: Array.isArray(found) ? found : [] })
    })
  })
}

test('a name with public addresses alone gives all of them', async (t) => {
  t.same(await ask(async () => [PUBLIC, PUBLIC_V6]), { error: null, addresses: [PUBLIC, PUBLIC_V6] })
})

test('one address that is not public speaks against the name', async (t) => {
  for (const hidden of ['127.0.0.1', '10.0.0.1', '169.254.169.254']) {
    const found = await ask(async () => [PUBLIC, { address: hidden, family: 4 }])
    t.match(found, { error: /not public/, addresses: [] }, hidden)
  }
  const v6 = await ask(async () => [{ address: '::ffff:127.0.0.1', family: 6 }, PUBLIC])
  t.match(v6, { error: /not public/, addresses: [] })
})

test('a name that answers publicly first and 127.0.0.1 at connect is refused at connect', async (t) => {
  const answers = [[PUBLIC], [LOOPBACK]]
  const resolve: Resolve = async () => answers.shift() ?? []
  t.same((await ask(resolve)).addresses, [PUBLIC])
  t.match(await ask(resolve), { error: /not public/, addresses: [] })
  t.match(await ask(resolve), { error: /no address/, addresses: [] })
})

test('a lookup of one address gets the first', async (t) => {
  const lookup = createGuardedLookup(STRICT, async () => [PUBLIC, PUBLIC_V6])
  const found = await new Promise((done) => lookup('x', {}, (...args) => done(args)))
  t.same(found, [null, '8.8.8.8', 4])
})

test('with private networks allowed the system resolver is used, including the hosts file', async (t) => {
  const found = await ask(undefined, { ...STRICT, allowPrivateNetworks: true }, 'localhost')
  t.ok(found.addresses.some(({ address }) => address === '127.0.0.1' || address === '::1'))
})

test('a name that cannot be resolved is an error', async (t) => {
  t.same((await ask(() => Promise.reject(new Error('ENOTFOUND')))).error, 'ENOTFOUND')
  t.ok((await ask(undefined, STRICT, 'no such name')).error)
})
