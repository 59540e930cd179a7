// The layout of the slabs: places do not overlap, and the same configuration gives the same ones.
import { test } from 'tap'
import {
  createLayout,
  DURATION_BOUNDS,
  INTER_TOKEN_BOUNDS,
  OFFLOAD_BOUNDS,
  OVERHEAD_BOUNDS,
  REDIS_BOUNDS,
  TTFT_BOUNDS,
} from '../../../src/telemetry/metrics/layout.js'

const CONFIG = {
  surfaces: ['chat', 'chat'],
  providers: [
    { name: 'a', knownModels: ['m', 'n'] },
    { name: 'b', knownModels: ['n', 'o'] },
  ],
  models: [{ name: 'm' }, { name: 'b/n' }],
}

test('names are unique, and index 0 is other', (t) => {
  const { surfaces, providers, models } = createLayout(CONFIG)
  t.same(surfaces.names, ['other', 'chat'])
  t.same(providers.names, ['other', 'a', 'b'])
  t.same(models.names, ['other', 'm', 'b/n', 'n', 'o'])
  t.equal(models.indexOf.get('a/n'), 3)
  t.equal(models.indexOf.get('b/n'), 2, 'a configured name goes before a known one with its provider')
  t.end()
})

test('histogram bounds rise', (t) => {
  for (const bounds of [
    TTFT_BOUNDS,
    INTER_TOKEN_BOUNDS,
    DURATION_BOUNDS,
    OVERHEAD_BOUNDS,
    OFFLOAD_BOUNDS,
    REDIS_BOUNDS,
  ]) {
    t.ok(bounds.every((bound, i) => i === 0 || bound > (bounds[i - 1] ?? 0)))
  }
  t.equal(DURATION_BOUNDS.at(-1), 600)
  t.same([OVERHEAD_BOUNDS[0], OVERHEAD_BOUNDS.at(-1)], [0.00005, 0.25])
  t.end()
})

test('the places of the fixed section and of a row follow each other without a gap', (t) => {
  const layout = createLayout(CONFIG)
  const { row } = layout
  const size = (bounds: readonly number[]) => bounds.length + 2
  t.equal(row.timeToFirstToken.at, row.duration.at + size(DURATION_BOUNDS))
  t.equal(row.interToken.at, row.timeToFirstToken.at + size(TTFT_BOUNDS))
  t.equal(row.overhead.at, row.interToken.at + size(INTER_TOKEN_BOUNDS))
  t.equal(row.length, row.overhead.at + size(OVERHEAD_BOUNDS))
  t.equal(layout.firstRow, (layout.redisSeconds.at(-1)?.at ?? 0) + size(REDIS_BOUNDS))
  t.equal(layout.slabLength, layout.firstRow + layout.rows * row.length)
  t.same(createLayout(structuredClone(CONFIG)), layout)
  t.end()
})
