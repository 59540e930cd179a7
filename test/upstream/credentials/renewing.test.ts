// Credentials that expire: obtained once, renewed in the background, never by two at once, and not asked for in vain again and again.
import { test } from 'tap'
import { type Lease, Renewing } from '../../../src/upstream/credentials/renewing.js'

const LIFE_MS = 1_000_000

/** An issuer in the hands of the test: each call waits until it is settled. */
function rig() {
  const state = { nowMs: 5_000_000 }
  const waiting: { give: (value: string, lifeMs?: number) => void; fail: (error: Error) => void }[] = []
  let calls = 0
  const obtain = () => {
    calls += 1
    return new Promise<Lease<string>>((resolve, reject) => {
      waiting.push({
        give: (value, lifeMs = LIFE_MS) => resolve({ value, expiresAtMs: state.nowMs + lifeMs }),
        fail: reject,
      })
    })
  }
  const failures: unknown[] = []
  const onFailure = (error: unknown) => void failures.push(error)
  const renewing = new Renewing(obtain, { nowMs: () => state.nowMs, onFailure })
  return { renewing, state, failures, calls: () => calls, next: () => waiting.shift() as (typeof waiting)[number] }
}

async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

test('however many ask at once, one obtains it; later ones get it without waiting', async (t) => {
  const { renewing, calls, next } = rig()
  t.equal(calls(), 0, 'nothing before the first request')
  const asked = Array.from({ length: 50 }, () => renewing.get())
  t.equal(calls(), 1)
  next().give('a')
  t.same(new Set(await Promise.all(asked)), new Set(['a']))
  t.equal(renewing.get(), 'a', 'at once')
  t.equal(calls(), 1)
})

test('after four fifths of its life it is renewed by one, while all others use the old one', async (t) => {
  const { renewing, state, calls, next } = rig()
  const first = renewing.get()
  next().give('a')
  await first
  state.nowMs += 0.79 * LIFE_MS
  t.equal(renewing.get(), 'a')
  t.equal(calls(), 1, 'not yet')
  state.nowMs += 0.02 * LIFE_MS
  for (let i = 0; i < 50; i++) t.equal(renewing.get(), 'a', 'the old one, at once')
  t.equal(calls(), 2, 'one renewal')
  next().give('b')
  await settled()
  t.equal(renewing.get(), 'b')
})

test('one that has expired is not used: under load all wait for one renewal', async (t) => {
  const { renewing, state, calls, next } = rig()
  const first = renewing.get()
  next().give('a')
  await first
  state.nowMs += LIFE_MS - 4000
  const asked = Array.from({ length: 50 }, () => renewing.get())
  t.equal(calls(), 2, 'a few seconds before its end, too')
  next().give('b')
  t.same(new Set(await Promise.all(asked)), new Set(['b']))
})

test('a renewal that fails leaves the old one in use, is reported, and is tried again after a pause', async (t) => {
  const { renewing, state, calls, next, failures } = rig()
  const first = renewing.get()
  next().give('a')
  await first
  state.nowMs += 0.85 * LIFE_MS
  t.equal(renewing.get(), 'a')
  next().fail(new Error('down'))
  await settled()
  t.match(failures, [{ message: 'down' }])
  t.equal(renewing.get(), 'a')
  t.equal(calls(), 2, 'not at once')
  state.nowMs += 500
  t.equal(renewing.get(), 'a')
  t.equal(calls(), 3)
})

test('without one, failures are passed on at once until the pause is over, which grows to five seconds', async (t) => {
  const { renewing, state, calls, next } = rig()
  const pausesMs = [500, 1000, 2000, 4000, 5000, 5000]
  for (const [at, pauseMs] of pausesMs.entries()) {
    const asked = renewing.get()
    next().fail(new Error(`down ${at}`))
    await t.rejects(async () => asked, { message: `down ${at}` })
    await t.rejects(async () => renewing.get(), { message: `down ${at}` })
    state.nowMs += pauseMs - 1
    await t.rejects(async () => renewing.get())
    t.equal(calls(), at + 1)
    state.nowMs += 1
  }
  const asked = renewing.get()
  next().give('a')
  t.equal(await asked, 'a')
})

test('one that claims to be expired already serves for some seconds, so that clocks that differ cost no renewal a request', async (t) => {
  const { renewing, state, calls, next } = rig()
  const first = renewing.get()
  next().give('a', -3_600_000)
  t.equal(await first, 'a')
  state.nowMs += 4000
  t.equal(renewing.get(), 'a')
  t.equal(calls(), 1)
  state.nowMs += 2000
  const second = renewing.get()
  t.equal(calls(), 2)
  next().give('b')
  t.equal(await second, 'b')
})

test('a rejected one is replaced if it is old enough, or if it has been replaced meanwhile', async (t) => {
  const { renewing, state, calls, next } = rig()
  t.same(renewing.known, [])
  const first = renewing.get()
  next().give('a')
  await first
  t.notOk(renewing.reject('a'), 'it has just been obtained: another one would be no better')
  t.equal(renewing.get(), 'a')
  state.nowMs += 60_000
  t.ok(renewing.reject('a'))
  const second = renewing.get()
  t.equal(calls(), 2)
  next().give('b')
  t.equal(await second, 'b')
  t.ok(renewing.reject('a'), 'a request that was sent with the old one')
  t.equal(renewing.get(), 'b', 'the new one stays')
  t.same(renewing.known, ['b', 'a'], 'the old one may still be quoted')
})

test('a rejected one that cannot be replaced serves again: it may have been the request that was refused', async (t) => {
  const { renewing, state, calls, next, failures } = rig()
  const first = renewing.get()
  next().give('a')
  await first
  state.nowMs += 60_000
  t.ok(renewing.reject('a'))
  t.same(renewing.known, ['a'])
  const others = [renewing.get(), renewing.get()]
  next().fail(new Error('down'))
  t.same(await Promise.all(others), ['a', 'a'])
  t.equal(failures.length, 1)
  t.equal(renewing.get(), 'a', 'at once')
  t.notOk(renewing.reject('a'), 'for a while')
  t.equal(calls(), 2)
  state.nowMs += 60_000
  t.ok(renewing.reject('a'))
  const asked = renewing.get()
  state.nowMs += LIFE_MS - 124_000
  next().fail(new Error('still down'))
  await t.rejects(async () => asked, { message: 'still down' }, 'not when it has expired')
})

test('a clock that is set back delays nothing', async (t) => {
  const BACK_MS = 2_000_000
  const { renewing, state, calls, next } = rig()
  const first = renewing.get()
  next().fail(new Error('down'))
  await t.rejects(async () => first)
  state.nowMs -= BACK_MS
  const second = renewing.get()
  t.equal(calls(), 2, 'the pause is over')
  next().give('a')
  await second
  state.nowMs -= BACK_MS
  t.ok(renewing.reject('a'), 'its age is unknown')
  const third = renewing.get()
  next().give('b')
  t.equal(await third, 'b')
  state.nowMs -= BACK_MS
  t.equal(renewing.get(), 'b')
  next().give('c')
  await settled()
  t.equal(renewing.get(), 'c', 'renewed in the background')
  t.equal(calls(), 4, 'once')
})
