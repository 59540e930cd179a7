// The table of addresses that a stranger's URL must never reach, each in the forms a URL may give it, and what is let through.
import { test } from 'tap'
import { checkPublicUrl, type GuardPolicy, isPublicAddress } from '../../../src/upstream/strangers/public-url.js'

const STRICT: GuardPolicy = { allowInsecure: false, allowPrivateNetworks: false }

/** First and last of each class, as the incidents of other gateways name them. */
const NOT_PUBLIC = [
  ...['0.0.0.0', '0.255.255.255', '127.0.0.1', '127.255.255.255', '10.0.0.0', '10.255.255.255', '172.16.0.0'],
  ...['172.31.255.255', '192.168.0.0', '192.168.255.255', '169.254.0.0', '169.254.169.254', '169.254.255.255'],
  ...['100.64.0.0', '100.127.255.255', '192.0.0.0', '192.0.0.255', '192.0.2.1', '192.88.99.1', '198.18.0.0'],
  ...['198.19.255.255', '198.51.100.1', '203.0.113.1', '224.0.0.0', '239.255.255.255', '240.0.0.0', '255.255.255.255'],
  ...['::', '::1', '::ffff:127.0.0.1', '::ffff:7f00:1', '::ffff:8.8.8.8', '::127.0.0.1', '::ffff:0:127.0.0.1'],
  ...['fc00::', 'fdff:ffff::1', 'fe80::1', 'febf::1', 'fec0::1', 'feff::1', 'ff02::1', '2002:7f00:1::', '2002::1'],
  ...['2001::1', '2001:0:4136:e378:8000:63bf:3fff:fdd2', '2001:2::1', '2001:10::1', '2001:20::1', '2001:db8::1'],
  ...['64:ff9b::7f00:1', '64:ff9b::127.0.0.1', '64:ff9b:1::1', '100::1', '3fff::1', '5f00::1', '4000::1'],
]
const PUBLIC = [
  ...['1.1.1.1', '8.8.8.8', '9.255.255.255', '11.0.0.0', '100.63.255.255', '100.128.0.0', '126.255.255.255'],
  ...['128.0.0.0', '169.253.255.255', '169.255.0.0', '172.15.255.255', '172.32.0.0', '192.0.1.0', '192.167.255.255'],
  ...['192.169.0.0', '198.17.255.255', '198.20.0.0', '223.255.255.255'],
  ...['2606:4700:4700::1111', '2001:4860:4860::8888', '2001:200::1', '2a00::1', '2003::1'],
]

test('no address of the table is public, and its neighbours are', (t) => {
  for (const address of NOT_PUBLIC) t.notOk(isPublicAddress(address), address)
  for (const address of PUBLIC) t.ok(isPublicAddress(address), address)
  for (const text of ['', 'localhost', 'fe80::1%lo', '2606:4700::1%eth0', '1.1.1', '1.1.1.1.']) {
    t.notOk(isPublicAddress(text), `"${text}"`)
  }
  t.end()
})

test('each of them is refused in a URL, whichever way it is written', (t) => {
  const hosts = [
    ...NOT_PUBLIC.map((address) => (address.includes(':') ? `[${address}]` : address)),
    ...[
      '2130706433',
      '0x7f.1',
      '0x7f000001',
      '0177.0.0.1',
      '017700000001',
      '127.1',
      '127.0.1',
      '0',
      '0x0',
      '127.0.0.1.',
    ],
    ...[
      '１２７.０.０.１',
      '①②⑦.⓪.⓪.①',
      '127。0。0。1',
      '%31%32%37.0.0.1',
      '[::ffff:7f00:1]',
      '[0:0:0:0:0:ffff:7f00:0001]',
    ],
  ]
  for (const host of hosts) {
    for (const url of [`https://${host}/hook`, `https://${host}:8443/`]) {
      t.equal(checkPublicUrl(url, STRICT).url, null, url)
    }
  }
  t.end()
})

test('what else in a URL is refused', (t) => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['', /absolute URL/],
    ['/hook', /absolute URL/],
    ['https://', /absolute URL/],
    ['https://256.256.256.256/', /absolute URL/],
    ['https://1.2.3.4.5/', /absolute URL/],
    [`https://example.com/${'x'.repeat(2048)}`, /absolute URL/],
    ['http://example.com/', /begin with https:\/\//],
    ['ftp://example.com/', /begin with/],
    ['file:///etc/passwd', /begin with/],
    ['javascript:alert(1)', /begin with/],
    ['https://user@example.com/', /user name/],
    ['https://example.com@127.0.0.1/', /user name/],
    ['https://:secret@example.com/', /user name/],
    ['https://example.com:0/', /port 0/],
    ['https://example.com:65536/', /absolute URL/],
    ['https://example.com./', /dot/],
    ['https://localhost./', /dot/],
  ]
  for (const [url, problem] of cases) t.match(checkPublicUrl(url, STRICT).problem, problem, url.slice(0, 50))
  t.end()
})

test('a public URL passes, its fragment left out', (t) => {
  const hook = checkPublicUrl('https://hooks.example.com:8443/a?b=c#d', STRICT)
  t.equal(hook.url?.href, 'https://hooks.example.com:8443/a?b=c')
  t.equal(checkPublicUrl('https://8.8.8.8/', STRICT).url?.hostname, '8.8.8.8')
  t.equal(checkPublicUrl('https://[2606:4700::1]/', STRICT).url?.hostname, '[2606:4700::1]')
  t.end()
})

test('each permission permits one thing', (t) => {
  const insecure = { ...STRICT, allowInsecure: true }
  const inside = { ...STRICT, allowPrivateNetworks: true }
  t.equal(checkPublicUrl('http://example.com/', insecure).url?.href, 'http://example.com/')
  t.equal(checkPublicUrl('https://10.0.0.1/', inside).url?.href, 'https://10.0.0.1/')
  t.equal(checkPublicUrl('http://10.0.0.1/', insecure).url, null)
  t.equal(checkPublicUrl('http://10.0.0.1/', inside).url, null)
  t.equal(checkPublicUrl('ftp://example.com/', insecure).url, null)
  t.end()
})
