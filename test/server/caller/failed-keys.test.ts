// Who is counted, for how long, and what it costs.
import { test } from 'tap'
import { FailedKeys } from '../../../src/server/caller/failed-keys.js'
import { startFront } from '../../helpers/front.js'
import { thrownBy } from '../../helpers/thrown.js'

const PUBLIC = Uint8Array.of(203, 0, 113, 7)
const ipv6 = (...groups: number[]) => Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]))

function setUp(maxAddresses = 100) {
  const clock = { ms: 0 }
  const failed = new FailedKeys({ perMinute: 3, now: () => clock.ms, maxAddresses })
  const isRefused = (address: Uint8Array) => {
    try {
      failed.check(address)
      return false
    } catch {
      return true
    }
  }
  const fail = (address: Uint8Array, times = 3) => {
    for (let i = 0; i < times; i++) failed.note(address)
  }
  return { clock, failed, isRefused, fail }
}

test('refuses an address after its failures of a minute, and no other', async (t) => {
  const { clock, failed, isRefused, fail } = setUp()
  t.ok(failed.isQuiet)
  fail(PUBLIC, 2)
  t.notOk(isRefused(PUBLIC))
  fail(PUBLIC, 1)
  clock.ms = 20_000
  t.match(
    thrownBy(() => failed.check(PUBLIC)),
    { code: 'rate_limited', status: 429, retryAfterMs: 40_000 },
  )
  t.notOk(isRefused(Uint8Array.of(203, 0, 113, 8)))
  clock.ms = 60_000
  t.notOk(isRefused(PUBLIC))
  t.ok(failed.isQuiet, 'and is forgotten')
})

test('takes an IPv4 address in IPv6 for the same, and an IPv6 network for one client', async (t) => {
  const { isRefused, fail } = setUp()
  fail(ipv6(0, 0, 0, 0, 0, 0xffff, 0xcb00, 0x7107))
  t.ok(isRefused(PUBLIC))
  fail(ipv6(0x2001, 0xdb8, 1, 2, 3, 4, 5, 6))
  t.ok(isRefused(ipv6(0x2001, 0xdb8, 1, 2, 9, 9, 9, 9)))
  t.notOk(isRefused(ipv6(0x2001, 0xdb8, 1, 3, 3, 4, 5, 6)))
})

test('never counts the addresses that proxies have', async (t) => {
  const { failed, isRefused, fail } = setUp()
  for (const inside of [
    ...[
      '127.0.0.1',
      '127.9.9.9',
      '10.1.2.3',
      '172.16.0.1',
      '172.31.9.9',
      '192.168.1.1',
      '169.254.1.1',
      '100.64.0.1',
    ].map((text) => Uint8Array.from(text.split('.').map(Number))),
    ...[ipv6(0, 0, 0, 0, 0, 0, 0, 1), ipv6(0xfd00, 0, 0, 0, 0, 0, 0, 9), ipv6(0xfe80, 0, 0, 0, 0, 0, 0, 9)],
    ...[ipv6(0, 0, 0, 0, 0, 0xffff, 0x7f00, 1), new Uint8Array(0)],
  ]) {
    fail(inside, 50)
    t.notOk(isRefused(inside))
  }
  t.ok(failed.isQuiet)
  for (const outside of [
    '172.15.0.1',
    '172.32.0.1',
    '100.63.0.1',
    '100.128.0.1',
    '192.169.0.1',
    '11.0.0.1',
    '8.8.8.8',
  ]) {
    const address = Uint8Array.from(outside.split('.').map(Number))
    fail(address)
    t.ok(isRefused(address), outside)
  }
})

test('remembers a bounded number of addresses', async (t) => {
  const { isRefused, fail } = setUp(10)
  for (let i = 0; i < 1000; i++) fail(Uint8Array.of(8, 8, i >> 8, i & 0xff))
  const remembered = Array.from({ length: 1000 }, (_, i) => isRefused(Uint8Array.of(8, 8, i >> 8, i & 0xff)))
  t.equal(remembered.filter(Boolean).length, 10)
  t.ok(remembered.at(-1))
})

test('a refused address gets a 429 in the envelope of the surface, whatever its key; keys that none sent do not count', async (t) => {
  const failing = new FailedKeys({ perMinute: 2, now: () => 0 })
  const counted: number[] = []
  const failedKeys = {
    isQuiet: false,
    // The test comes from loopback, which is never counted.
    check: () => failing.check(PUBLIC),
    note: (address: Uint8Array) => {
      counted.push(address.length)
      failing.note(PUBLIC)
    },
  }
  const { url, pipeline } = await startFront(t, { options: { failedKeys } })
  pipeline.keys = ['good']
  const ask = async (key: string | null) => {
    const headers = key === null ? {} : { authorization: `Bearer ${key}` }
    const answer = await fetch(`${url}/v1/models`, { headers })
    return { answer, body: (await answer.json()) as { error?: { code: string } } }
  }
  for (let i = 0; i < 5; i++) t.equal((await ask(null)).answer.status, 401)
  for (let i = 0; i < 2; i++) t.equal((await ask('bad')).answer.status, 401)
  t.same(counted, [4, 4], 'the engine told the address')
  for (const key of ['bad', 'good']) {
    const { answer, body } = await ask(key)
    t.equal(answer.status, 429)
    t.equal(body.error?.code, 'rate_limited')
  }
})

test('where it is asked for, addresses of this machine are counted as well', async (t) => {
  const failed = new FailedKeys({ perMinute: 1, now: () => 0, countsInside: true })
  const loopback = Uint8Array.of(127, 0, 0, 1)
  failed.note(loopback)
  t.match(
    thrownBy(() => failed.check(loopback)),
    { code: 'rate_limited' },
  )
})
