// A store is opened by the first call, once for all who ask meanwhile, and again after it could not be.
import { test } from 'tap'
import { GatewayError } from '../../../src/errors.js'
import { createLazyStore } from '../../../src/jobs/run/lazy-store.js'
import { type StoreEvent } from '../../../src/jobs/store.js'
import { newJob } from '../../helpers/new-job.js'
import { createPlainStore } from '../../helpers/plain-store.js'
import { rejectionOf } from '../../helpers/thrown.js'

test('opens at the first call, once, and passes calls and events on', async (t) => {
  const plain = createPlainStore(t, Date.now)
  let opened = 0
  const lazy = createLazyStore(async () => {
    opened += 1
    return plain
  }, t.fail)
  const events: StoreEvent[] = []
  const stop = lazy.subscribe((event) => events.push(event))
  t.notOk(lazy.isOpen)
  t.equal(opened, 0)
  const [accepted] = await Promise.all([lazy.accept(newJob('a')), lazy.get('none'), lazy.open()])
  t.match(accepted, { kind: 'accepted', job: { id: 'a' } })
  t.ok(lazy.isOpen)
  t.equal(opened, 1)
  t.same(events, [{ type: 'work' }])
  stop()
  await lazy.accept(newJob('b'))
  t.equal(events.length, 1)
  await lazy.close()
  t.match(await rejectionOf(lazy.get('a')), { code: 'draining' })
})

test('a store that cannot be opened is 503 without Retry-After, logs each reason once, and is tried again later', async (t) => {
  const plain = createPlainStore(t, Date.now)
  const reasons: string[] = []
  let reason = 'The job store x is damaged.'
  let tries = 0
  let nowMs = 0
  const lazy = createLazyStore(
    async () => {
      tries += 1
      if (reason !== '') throw new GatewayError('misconfigured', { message: reason })
      return plain
    },
    (told) => reasons.push(told),
    () => nowMs,
  )
  for (let i = 0; i < 3; i++) {
    const error = await rejectionOf(lazy.get('a'))
    t.match(error, { code: 'storage_unavailable', status: 503, retryable: false, retryAfterMs: null })
    t.match(error.message, /could not be opened. Jobs and requests with an Idempotency-Key are rejected/)
  }
  t.equal(tries, 1, 'a call in the seconds after it starts no further try')
  t.same(reasons, [reason])
  t.match(await rejectionOf(lazy.open()), { code: 'misconfigured' }, 'at a start it is told as it is')
  nowMs += 5000
  await rejectionOf(lazy.get('a'))
  t.same([tries, reasons.length], [3, 1])
  reason = 'The job store x has no disk space left.'
  nowMs += 5000
  await rejectionOf(lazy.get('a'))
  t.same(reasons, ['The job store x is damaged.', reason])
  reason = ''
  t.match(await rejectionOf(lazy.get('a')), { code: 'storage_unavailable' })
  nowMs += 5000
  t.equal(await lazy.get('a'), null)
  t.ok(lazy.isOpen)
})
