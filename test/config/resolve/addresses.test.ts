// Addresses and networks: what is one, what lies within, and how it is written again.
import { BlockList, isIP } from 'node:net'
import { test } from 'tap'
import { addressText, isWithin, parseAddress, parseNetwork, toPlain } from '../../../src/config/resolve/addresses.js'
import { Random } from '../../helpers/random.js'

test('reads addresses in every spelling, and nothing else', (t) => {
  const bytes = (text: string) => [...(parseAddress(text) ?? [])]
  t.same(bytes('203.0.113.7'), [203, 0, 113, 7])
  t.same(bytes('::ffff:203.0.113.7'), [203, 0, 113, 7])
  t.same(bytes('::FFFF:cb00:7107'), [203, 0, 113, 7])
  t.equal(bytes('2001:db8::ffff:203.0.113.7').length, 16, 'no IPv4 address but with ten bytes of zero before it')
  t.same(bytes('::1'), [...new Array(15).fill(0), 1])
  t.same(bytes('2001:db8::5:0:ff'), [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0xff])
  t.same(bytes('64:ff9b::1.2.3.4').slice(-4), [1, 2, 3, 4])
  t.same(bytes('fe80::1%eth0'), bytes('fe80::1'))
  for (const text of [
    '',
    '1.2.3',
    '1.2.3.256',
    '01.2.3.4',
    '1.2.3.4 ',
    ':::',
    '1::2::3',
    'unknown',
    '_hidden',
    '1.2.3.4/8',
  ]) {
    t.equal(parseAddress(text), null, text)
  }
  t.end()
})

test('reads networks, and rejects invalid prefixes', (t) => {
  t.same(parseNetwork('10.0.0.0/8'), { address: Uint8Array.of(10, 0, 0, 0), bits: 8 })
  t.same(parseNetwork('10.1.2.3'), { address: Uint8Array.of(10, 1, 2, 3), bits: 32 })
  t.same(parseNetwork('::ffff:10.0.0.0/104'), { address: Uint8Array.of(10, 0, 0, 0), bits: 8 })
  t.equal(parseNetwork('2001:db8::/32')?.bits, 32)
  for (const text of [
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    '::/129',
    '/8',
    'x/8',
    '::ffff:10.0.0.0/8',
    '10.0.0.0/ 8',
  ]) {
    t.equal(parseNetwork(text), null, text)
  }
  t.end()
})

test('agrees with Node on what lies within a network, for drawn addresses', (t) => {
  const random = Random.ofRun()
  const int = (limit: number): number => Math.floor(random.below(limit))
  const draw = (bytes: number) => addressText(Uint8Array.from({ length: bytes }, () => int(4) + 250 * int(2)))
  for (let i = 0; i < 2000; i++) {
    const size = i % 2 === 0 ? 4 : 16
    const [base, other] = [draw(size), draw(size)]
    const bits = int(size * 8 + 1)
    const family = isIP(base) === 4 ? 'ipv4' : 'ipv6'
    const list = new BlockList()
    list.addSubnet(base, bits, family)
    const network = parseNetwork(`${base}/${bits}`)
    const address = parseAddress(other)
    if (network === null || address === null) throw new Error(`${base}/${bits} ${other}`)
    if (isWithin(address, network) !== list.check(other, family)) t.fail(`${other} in ${base}/${bits}`)
  }
  const ipv6 = parseNetwork('::/0')
  t.notOk(ipv6 === null || isWithin(Uint8Array.of(1, 2, 3, 4), ipv6), 'an IPv4 address is in no IPv6 network')
  t.end()
})

test('writes addresses in their short form', (t) => {
  for (const text of ['203.0.113.7', '::1', '2001:db8::1', 'fe80::1:0:0:1']) {
    t.equal(addressText(parseAddress(text) ?? new Uint8Array()), text)
  }
  t.equal(addressText(Uint8Array.of(...new Array(10).fill(0), 0xff, 0xff, 1, 2, 3, 4)), '1.2.3.4')
  t.equal(addressText(new Uint8Array(0)), '')
  t.same(toPlain(Uint8Array.of(1, 2, 3, 4)), Uint8Array.of(1, 2, 3, 4))
  t.end()
})
