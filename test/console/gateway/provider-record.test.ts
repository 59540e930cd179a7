// How a provider does, in words and for its look.
import { test } from 'tap'
import { providerState, providerWords } from '../../../src/console/gateway/provider-record.js'

const WELL = { paused: false, breaker: 'closed', attempts: 20, errorShare: 0.05 } as const

test('a provider whose breaker is closed is not well while its attempts fail', async (t) => {
  const state = (changes: Partial<typeof WELL> | object) => {
    const health = { ...WELL, ...changes }
    return [providerState(health), providerWords(health)]
  }
  t.same(state({}), ['closed', 'healthy'])
  t.same(state({ attempts: 0, errorShare: null }), ['closed', 'healthy'])
  t.same(state({ errorShare: 0.1 }), ['errors', 'some errors'])
  t.same(state({ errorShare: 0.5 }), ['failing', 'failing'])
  t.same(state({ attempts: 2, errorShare: 1 }), ['closed', 'healthy'], 'one error or two may be anything')
  t.same(state({ breaker: 'open', errorShare: 0 }), ['open', 'breaker open'])
  t.same(state({ breaker: 'half-open' }), ['half-open', 'breaker half-open'])
  t.same(state({ paused: true, errorShare: 1 }), ['paused', 'paused (failing)'])
})
