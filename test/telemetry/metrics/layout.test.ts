// The layout of the slabs: places do not overlap, and the same configuration gives the same ones.
import { test } from 'tap'
import { createLayout } from '../../../src/telemetry/metrics/layout.js'
import { METRIC_LIST } from '../../../src/telemetry/metrics/table.js'

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

test('the places of the fixed section and of a row follow each other without a gap', (t) => {
  const layout = createLayout(CONFIG)
  let [section, row] = [0, 1]
  for (const [key, descriptor] of METRIC_LIST) {
    const { at, series, cellsPerSeries, flagsAt, end } = layout.places[key]
    t.equal(at, descriptor.row === undefined ? section : row, key)
    t.equal(end, at + series * cellsPerSeries + (flagsAt === null ? 0 : series), key)
    if (descriptor.row === undefined) section = end
    else row = end
  }
  t.equal(layout.firstRow, section)
  t.equal(layout.rowLength, row)
  t.equal(layout.slabLength, layout.firstRow + layout.rows * layout.rowLength)
  t.same(createLayout(structuredClone(CONFIG)), layout)
  t.end()
})

test('a metric has a series for each combination of its labels, with room for providers to come', (t) => {
  const { places } = createLayout({ ...CONFIG, room: { providers: 7, models: 9 } })
  t.equal(places.attempts.series, 8 * 7, 'other and seven providers, seven results')
  t.equal(places.active.series, 1)
  t.equal(places.connections.flagsAt, places.connections.at + 8 * 2)
  t.equal(places.offloadQueue.flagsAt, null)
  t.end()
})
