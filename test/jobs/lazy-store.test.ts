// A store is opened by the first call, once for all who ask meanwhile, and again after it could not be.
import { test } from 'tap'
import { GatewayError } from '../../src/errors.js'
import { createLazyStore } from '../../src/jobs/lazy-store.js'
import { type StoreEvent } from '../../src/jobs/store.js'
import { newJob } from '../helpers/new-job.js'
import { createPlainStore } from '../helpers/plain-store.js'
import { rejectionOf } from '../helpers/thrown.js'

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

test('what cannot be opened is 503 and tells why once a try; a later call tries again', async (t) => {
  const plain = createPlainStore(t, Date.now)
  const reasons: string[] = []
  let isBroken = true
  const lazy = createLazyStore(
    async () => {
      if (isBroken) throw new GatewayError('misconfigured', { message: 'The job store x is damaged.' })
      return plain
    },
    (reason) => reasons.push(reason),
  )
  const error = await rejectionOf(lazy.get('a'))
  t.match(error, { code: 'overloaded', status: 503, message: 'The job store cannot be opened.' })
  t.same(reasons, ['The job store x is damaged.'])
  t.match(await rejectionOf(lazy.open()), { code: 'misconfigured' }, 'at a start it is told as it is')
  isBroken = false
  t.equal(await lazy.get('a'), null)
})
