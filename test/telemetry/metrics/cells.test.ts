// The memory of the metrics: one slab for each event loop, added up.
import { test } from 'tap'
import { createMetricsCells, slabOf, sumSlabs } from '../../../src/telemetry/metrics/cells.js'
import { createLayout } from '../../../src/telemetry/metrics/layout.js'

const CONFIG = { surfaces: ['chat'], providers: [], models: [{ name: 'fast' }] }

test('slabs do not overlap, and rows of the same tag are added wherever they lie', (t) => {
  const layout = createLayout(CONFIG)
  const cells = createMetricsCells(CONFIG, 3)
  t.equal(cells.byteLength, 3 * 8 * layout.slabLength)
  const rowAt = (index: number) => layout.firstRow + index * layout.rowLength
  for (const loop of [0, 1, 2]) {
    const slab = slabOf(layout, cells, loop)
    slab[layout.places.active.at] = loop + 1
    slab[layout.places.eventLoopLag.at] = [0.5, 2, 1][loop] ?? 0
    slab[rowAt(0)] = loop === 0 ? 1 : 3
    slab[rowAt(1)] = loop === 0 ? 3 : 0
    slab[rowAt(loop === 0 ? 1 : 0) + layout.places.tokens.at] = 10
  }
  const { fixed, rows } = sumSlabs(layout, cells)
  t.equal(fixed[layout.places.active.at], 6)
  t.equal(fixed[layout.places.eventLoopLag.at], 2)
  t.same(
    rows.map((row) => [row[0], row[layout.places.tokens.at]]),
    [
      [1, 0],
      [3, 30],
    ],
  )
  t.end()
})
