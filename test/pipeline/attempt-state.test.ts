// The state of an attempt: who may write it is a matter of types, which the compiler checks here.
import { test } from 'tap'
import { AttemptState, type AttemptView, NO_ATTEMPT, spentMs } from '../../src/pipeline/attempt-state.js'

test('an attempt has spent the time between its sending and its last byte', (t) => {
  const state = new AttemptState(null, 3)
  t.equal(spentMs(state), 0, 'not sent')
  state.startedAtMs = 10
  t.equal(spentMs(state), 0, 'under way')
  state.endedAtMs = 25
  t.equal(spentMs(state), 15)
  t.equal(spentMs(NO_ATTEMPT), 0)
  t.end()
})

test('the attempt state is readable for all and writable for its attempt only', (t) => {
  const view: AttemptView = NO_ATTEMPT
  t.throws(() => {
    // @ts-expect-error a view is read-only
    view.usageSource = 'provider'
  }, TypeError)
  t.equal(view.usageSource, 'estimated')
  t.end()
})
