// Which traces are recorded: a caller's decision, and otherwise the same share of ids as OpenTelemetry's own SDK selects.
import { test } from 'tap'
import { isSampled } from '../../../src/telemetry/traces/sampler.js'
import { SpanIds } from '../../../src/telemetry/traces/span-ids.js'

const LOW = '00000000000000000000000000000001'
const HIGH = 'ffffffff000000000000000000000000'

test('a sampler that is based on the parent follows it, and decides for new traces alone', (t) => {
  const sampler = { isParentBased: true, ratio: 0 }
  t.equal(isSampled(sampler, LOW, true), true)
  t.equal(isSampled(sampler, LOW, false), false)
  t.equal(isSampled(sampler, LOW, null), false)
  t.equal(isSampled({ ...sampler, ratio: 1 }, HIGH, null), true)
  t.equal(isSampled({ ...sampler, ratio: 1 }, HIGH, false), false)
  t.equal(isSampled({ isParentBased: false, ratio: 1 }, HIGH, false), true)
  t.end()
})

test('of a share, the id decides: alike for all who see it', (t) => {
  const half = { isParentBased: false, ratio: 0.5 }
  t.equal(isSampled(half, LOW, null), true)
  t.equal(isSampled(half, HIGH, null), false)
  // 0x7fffffff and its neighbour: the bound is the floor of 0.5 * 0xffffffff, which is excluded.
  t.equal(isSampled(half, '7ffffffe000000000000000000000000', null), true)
  t.equal(isSampled(half, '7fffffff000000000000000000000000', null), false)
  t.equal(isSampled(half, 'ffffffff000000000000000080000000', null), false, 'its four parts are folded into one')
  t.equal(isSampled(half, 'ffffffff0000000000000000f000000f', null), true)
  const ids = new SpanIds()
  const taken = Array.from({ length: 4000 }, () => ids.traceId()).filter((id) => isSampled(half, id, null)).length
  t.ok(taken > 1700 && taken < 2300, `${taken} of 4000`)
  t.end()
})
