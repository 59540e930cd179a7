// Whose address a request has, by what proxies say of it: only theirs counts, and of theirs only what they added.
import { test } from 'tap'
import { addressText, parseAddress } from '../../../src/config/resolve/addresses.js'
import { AddressTexts } from '../../../src/server/caller/address-text.js'
import { TrustedProxies } from '../../../src/server/caller/client-address.js'
import { FailedKeys } from '../../../src/server/caller/failed-keys.js'
import { startFront } from '../../helpers/front.js'

const PROXIES = new TrustedProxies(['10.0.0.0/8', '192.0.2.1', '2001:db8:ffff::/48', '127.0.0.1'])

function clientOf(peer: string, forwardedFor: string, forwarded = ''): string {
  return addressText(PROXIES.clientOf(parseAddress(peer) ?? new Uint8Array(), { forwardedFor, forwarded }))
}

test('without a trusted proxy the connection is the client, whatever the headers say', (t) => {
  t.equal(clientOf('203.0.113.9', '198.51.100.1', 'for=198.51.100.1'), '203.0.113.9')
  t.equal(clientOf('11.0.0.1', '198.51.100.1'), '11.0.0.1')
  const none = new TrustedProxies([])
  const peer = Uint8Array.of(10, 0, 0, 1)
  t.equal(none.clientOf(peer, { forwardedFor: '198.51.100.1', forwarded: '' }), peer)
  t.end()
})

test('X-Forwarded-For is read from its end to the first address that is no trusted proxy', (t) => {
  t.equal(clientOf('10.0.0.1', '198.51.100.1'), '198.51.100.1')
  t.equal(clientOf('10.0.0.1', '6.6.6.6, 198.51.100.1'), '198.51.100.1', 'what stands before it may be made up')
  t.equal(clientOf('10.0.0.1', '6.6.6.6,198.51.100.1 , 192.0.2.1,10.9.9.9'), '198.51.100.1')
  t.equal(clientOf('10.0.0.1', '10.2.2.2, 10.3.3.3'), '10.2.2.2', 'a client inside')
  t.equal(clientOf('2001:db8:ffff::1', '2001:db8::7'), '2001:db8::7')
  t.equal(clientOf('::ffff:10.0.0.1', '::ffff:198.51.100.1'), '198.51.100.1')
  t.end()
})

test('entries with ports and brackets are addresses; an invalid entry ends the walk at the proxy that wrote it', (t) => {
  t.equal(clientOf('10.0.0.1', '198.51.100.1:4711'), '198.51.100.1')
  t.equal(clientOf('10.0.0.1', '[2001:db8::7]:4711'), '2001:db8::7')
  t.equal(clientOf('10.0.0.1', '[2001:db8::7]'), '2001:db8::7')
  for (const odd of ['unknown', '', ',', 'for=1.2.3.4', '1.2.3', '"1.2.3.4"']) {
    t.equal(clientOf('10.0.0.1', `6.6.6.6, ${odd}, 10.2.2.2`), '10.2.2.2', odd)
  }
  t.end()
})

test('only a trusted proxy says that its client came by TLS, the first one of several', (t) => {
  const says = (peer: string, proto: string, forwarded = '') =>
    PROXIES.saysTls(parseAddress(peer) ?? new Uint8Array(), { proto, forwarded })
  for (const proto of ['https', 'HTTPS', ' https , http']) t.equal(says('10.0.0.1', proto), true, proto)
  for (const proto of ['http', 'http, https', 'httpsx', 'wss']) t.equal(says('10.0.0.1', proto), false, proto)
  const elements = ['proto=https', 'for=192.0.2.9;Proto="https";by=10.0.0.1', 'proto=https, proto=http']
  for (const element of elements) t.equal(says('10.0.0.1', '', element), true, element)
  for (const element of ['', 'proto=http', 'for=a, proto=https', 'proto=httpsx', 'xproto=https'])
    t.equal(says('10.0.0.1', '', element), false, element)
  t.equal(says('10.0.0.1', 'http', 'proto=https'), false, 'X-Forwarded-Proto goes first')
  t.equal(says('203.0.113.9', 'https', 'proto=https'), false)
  t.equal(new TrustedProxies([]).saysTls(Uint8Array.of(10, 0, 0, 1), { proto: 'https', forwarded: '' }), false)
  t.end()
})

test('Forwarded is read likewise, where there is no X-Forwarded-For', (t) => {
  t.equal(clientOf('10.0.0.1', '', 'for=198.51.100.1'), '198.51.100.1')
  t.equal(clientOf('10.0.0.1', '', 'for=6.6.6.6, For="[2001:db8::7]:4711";proto=https;by=10.0.0.1'), '2001:db8::7')
  t.equal(clientOf('10.0.0.1', '', 'proto=https;for=198.51.100.1, for=10.4.4.4'), '198.51.100.1')
  t.equal(clientOf('10.0.0.1', '', 'for="198.51.100.1";host="a,for=6.6.6.6;for=6.6.6.6"'), '198.51.100.1', 'quoted')
  t.equal(
    clientOf('10.0.0.1', '', 'for=6.6.6.6;host="x, for=198.51.100.1'),
    '198.51.100.1',
    'a quote that the client left open',
  )
  t.equal(clientOf('10.0.0.1', '', 'for=198.51.100.1;host="a\\", for=6.6.6.6"'), '198.51.100.1', 'an escaped quote')
  for (const odd of ['for=unknown', 'for=_gazonk', 'proto=https', 'for=']) {
    t.equal(clientOf('10.0.0.1', '', `for=6.6.6.6, ${odd}`), '10.0.0.1', odd)
  }
  t.equal(clientOf('10.0.0.1', '198.51.100.1', 'for=6.6.6.6'), '198.51.100.1', 'X-Forwarded-For goes first')
  t.end()
})

test('a header full of trusted addresses is cut off', (t) => {
  t.equal(
    clientOf('10.0.0.1', `198.51.100.1, ${Array.from({ length: 40 }, (_, i) => `10.1.1.${i}`).join(', ')}`),
    '10.1.1.8',
  )
  t.end()
})

test('failed keys are counted by the forwarded address, and never by the proxy’s own', async (t) => {
  const failedKeys = new FailedKeys({ perMinute: 2, now: () => 0 })
  const { url, pipeline } = await startFront(t, { config: { trustedProxies: ['127.0.0.1'] }, options: { failedKeys } })
  pipeline.keys = ['good']
  const ask = async (key: string, forwarded: readonly [string, string][]): Promise<number> => {
    const answer = await fetch(`${url}/v1/models`, { headers: [['authorization', `Bearer ${key}`], ...forwarded] })
    await answer.arrayBuffer()
    return answer.status
  }
  const from = (address: string): [string, string][] => [['x-forwarded-for', address]]
  for (let i = 0; i < 2; i++) t.equal(await ask('bad', from(`6.6.6.${i}, 198.51.100.1`)), 401)
  t.equal(await ask('good', from('6.6.6.9, 198.51.100.1')), 429, 'over the limit, whatever stands before it')
  t.equal(await ask('good', from('198.51.100.2')), 200, 'another client of the same proxy')
  t.equal(await ask('good', [...from('6.6.6.9'), ...from('198.51.100.1')]), 429, 'two headers are one list')
  t.equal(await ask('good', [['forwarded', 'for=198.51.100.1']]), 429)
  for (let i = 0; i < 5; i++) t.equal(await ask('bad', []), 401)
  t.equal(await ask('good', []), 200, 'the proxy itself is not counted')
})

test('the log shows the client behind trusted proxies, and else the connection, whose array is then not made', (t) => {
  const peer = Uint8Array.of(10, 0, 0, 1)
  const connection = {
    peer: peer.buffer,
    get address(): Uint8Array {
      return peer
    },
  }
  const untouched = {
    peer: peer.buffer,
    get address(): Uint8Array {
      throw new Error('an array was made')
    },
  }
  const headers = { forwardedFor: '203.0.113.7', forwarded: '' }
  t.equal(PROXIES.clientText(connection, headers, new AddressTexts()), '203.0.113.7')
  t.equal(new TrustedProxies([]).clientText(untouched, headers, new AddressTexts()), '10.0.0.1')
  t.end()
})

test('without trusted proxies no header moves the count to another address', async (t) => {
  const noted: string[] = []
  const failedKeys = {
    isQuiet: true,
    check: () => undefined,
    note: (from: Uint8Array) => void noted.push(addressText(from)),
  }
  const { url, pipeline } = await startFront(t, { options: { failedKeys } })
  pipeline.keys = ['good']
  const headers = { authorization: 'Bearer bad', 'x-forwarded-for': '198.51.100.1', forwarded: 'for=198.51.100.1' }
  await (await fetch(`${url}/v1/models`, { headers })).arrayBuffer()
  t.same(noted, ['127.0.0.1'])
})
