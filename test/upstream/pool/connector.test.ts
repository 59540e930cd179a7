// TLS to a provider: a private authority, a wrong name, an expired certificate, a certificate of the client's own.
import { test } from 'tap'
import { type ProviderTls } from '../../../src/config/types.js'
import { Authority } from '../../helpers/certificates.js'
import { collectAll } from '../../helpers/kept.js'
import { testProvider } from '../../helpers/targets.js'
import { TlsUpstream } from '../../helpers/tls-upstream.js'
import { probe, testUpstream } from '../../helpers/upstream-probe.js'

const PLAIN: ProviderTls = { ca: null, cert: null, key: null, serverName: null }

async function ask(t: { teardown(stop: () => unknown): void }, origin: string, tls: Partial<ProviderTls> | null) {
  const { upstream, pools } = testUpstream()
  t.teardown(() => pools.close(0))
  const provider = testProvider(origin, { tls: tls === null ? null : { ...PLAIN, ...tls } })
  return probe(upstream, provider, { request: { isStream: false } }).done()
}

test('a private authority is trusted where the provider names it, and nowhere else', async (t) => {
  const authority = new Authority(t)
  const upstream = await TlsUpstream.listen(t, authority.issue('up'))
  t.match((await ask(t, upstream.origin, { ca: authority.ca })).body, /whole/)
  const message = 'The provider could not be reached (UNABLE_TO_VERIFY_LEAF_SIGNATURE).'
  t.equal((await ask(t, upstream.origin, null)).error?.message, message)
  t.equal((await ask(t, upstream.origin, { ca: new Authority(t, 'Other CA').ca })).error?.message, message)
})

test('the name that is asked for and verified is the address’s, or the one that the configuration gives', async (t) => {
  const authority = new Authority(t)
  const upstream = await TlsUpstream.listen(t, authority.issue('named', { names: 'DNS:provider.test' }))
  const { ca } = authority
  const wrong = await ask(t, upstream.origin, { ca })
  t.equal(wrong.error?.message, 'The provider could not be reached (ERR_TLS_CERT_ALTNAME_INVALID).')
  t.match((await ask(t, upstream.origin, { ca, serverName: 'provider.test' })).body, /whole/)
  t.equal(upstream.serverNames.at(-1), 'provider.test')
  const other = await ask(t, upstream.origin, { ca, serverName: 'other.test' })
  t.equal(other.error?.message, 'The provider could not be reached (ERR_TLS_CERT_ALTNAME_INVALID).')
})

test('an expired certificate is refused', async (t) => {
  const authority = new Authority(t)
  const upstream = await TlsUpstream.listen(t, await authority.issueExpired('old'))
  const { error } = await ask(t, upstream.origin, { ca: authority.ca })
  t.equal(error?.message, 'The provider could not be reached (CERT_HAS_EXPIRED).')
})

test('a provider that wants a certificate gets the configured one', async (t) => {
  const authority = new Authority(t)
  const { ca } = authority
  const options = { ...authority.issue('mutual'), ca, requestCert: true, rejectUnauthorized: true }
  const upstream = await TlsUpstream.listen(t, options)
  const { cert, key } = authority.issue('gateway', { names: 'DNS:gateway.test' })
  t.match((await ask(t, upstream.origin, { ca, cert, key })).body, /whole/)
  t.same(upstream.clients, ['gateway'])
  const without = await ask(t, upstream.origin, { ca })
  t.match(without.code, /^upstream_(unreachable|cut)$/)
  const foreign = new Authority(t, 'Other CA').issue('stranger')
  t.match(
    (await ask(t, upstream.origin, { ca, cert: foreign.cert, key: foreign.key })).code,
    /^upstream_(unreachable|cut)$/,
  )
  t.same(upstream.clients, ['gateway'], 'and nobody else was let in')
})

test('a further connection resumes the TLS session of an earlier one, whatever garbage was collected meanwhile', async (t) => {
  const authority = new Authority(t)
  const server = await TlsUpstream.listen(t, authority.issue('up'))
  const { upstream, pools } = testUpstream()
  t.teardown(() => pools.close(0))
  // A connection for each request.
  const provider = testProvider(server.origin, { tls: { ...PLAIN, ca: authority.ca }, isolation: 'request' })
  for (let i = 0; i < 3; i++) {
    t.match((await probe(upstream, provider, { request: { isStream: false } }).done()).body, /whole/)
    collectAll()
  }
  t.same(server.resumed, [false, true, true])
})
