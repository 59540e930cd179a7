// The last requests: what is held, for how long, and what is found by which filter.
import { test } from 'tap'
import { errorData } from '../../../src/errors.js'
import { type Outcome } from '../../../src/model/event.js'
import { RecentRequests } from '../../../src/telemetry/recent/recent-requests.js'
import { exchangeRecord } from '../../helpers/exchange-record.js'

function ids(recent: RecentRequests, filter = {}, limit = 10): string[] {
  return recent.find(filter, limit).map(({ record }) => record.requestId)
}

test('the newest come first, and filters are joined by and', async (t) => {
  let nowMs = 1000
  const recent = new RecentRequests(() => nowMs++)
  recent.note(exchangeRecord({ requestId: 'a', keyName: 'one', model: 'fast', status: 200 }))
  recent.note(exchangeRecord({ requestId: 'b', keyName: 'two', model: 'fast', outcome: 'stalled', status: 504 }))
  recent.note(exchangeRecord({ requestId: 'c', keyName: 'two', provider: 'south', surface: 'messages' }))
  t.same(ids(recent), ['c', 'b', 'a'])
  t.same(ids(recent, {}, 2), ['c', 'b'])
  t.same(ids(recent, { key: 'two', model: 'fast' }), ['c', 'b'])
  t.same(ids(recent, { outcome: 'stalled' }), ['b'])
  t.same(ids(recent, { status: 504 }), ['b'])
  t.same(ids(recent, { provider: 'south' }), ['c'])
  t.same(ids(recent, { surface: 'messages' }), ['c'])
  t.same(ids(recent, { id: 'a' }), ['a'])
  t.same(ids(recent, { model: 'slow' }), [])
  t.same(ids(recent, { beforeMs: 1002 }), ['b', 'a'])
})

test('those that failed are told from those of which a client, a limit or nobody is the cause', async (t) => {
  const recent = new RecentRequests(() => 0)
  const note = (outcome: Outcome, status: number) =>
    recent.note(exchangeRecord({ requestId: `${outcome} ${status}`, outcome, status }))
  const bad = [
    ...([
      ['upstream_cut', 200],
      ['stalled', 504],
      ['failed', 500],
      ['drained', 200],
    ] as const),
    ...([
      ['rejected', 502],
      ['limit', 503],
    ] as const),
  ]
  const other = [
    ...([
      ['complete', 200],
      ['client_gone', 499],
      ['client_gone', 502],
      ['slow_reader', 200],
    ] as const),
    ...([
      ['rejected', 400],
      ['rejected', 429],
      ['limit', 429],
    ] as const),
  ]
  for (const [outcome, status] of [...bad, ...other]) note(outcome, status)
  const named = (rows: readonly (readonly [Outcome, number])[]) => rows.map((row) => row.join(' ')).sort()
  t.same(ids(recent, { failed: true }, 100).sort(), named(bad))
  t.same(ids(recent, { failed: false }, 100).sort(), named(other))
})

test('a flood of refusals pushes out no request that reached a provider, and neither list grows without end', async (t) => {
  const recent = new RecentRequests(() => 0)
  const refused = { attempts: 0, outcome: 'rejected' as const, error: errorData('unauthenticated') }
  recent.note(exchangeRecord({ requestId: 'kept' }))
  for (let i = 0; i < 5000; i++) recent.note(exchangeRecord({ requestId: `no-${i}`, ...refused }))
  t.ok(ids(recent, {}, 10_000).includes('kept'))
  t.equal(ids(recent, { outcome: 'rejected' }, 10_000).length, 200)
  for (let i = 0; i < 5000; i++) recent.note(exchangeRecord({ requestId: `yes-${i}` }))
  t.equal(ids(recent, {}, 10_000).length, 1000)
  t.ok(ids(recent, {}, 10_000).includes('yes-4999'))
  t.notOk(ids(recent, {}, 10_000).includes('kept'))
})

test('nothing large of a request is held: no thrown value, no name without end', async (t) => {
  const recent = new RecentRequests(() => 0)
  recent.note(exchangeRecord({ cause: new Error('with anything attached'), model: 'm'.repeat(100_000) }))
  const [held] = recent.find({}, 1)
  t.equal(held?.record.cause, null)
  t.equal(held?.record.model?.length, 259)
})
