// The table of metrics: its names are good names, and the bounds of its histograms rise.
import { test } from 'tap'
import { labelNames, METRIC_LIST } from '../../../src/telemetry/metrics/table.js'

test('every metric has a name of its own, in the form that its type asks for', (t) => {
  const names = METRIC_LIST.map(([, { name }]) => name)
  t.equal(new Set(names).size, names.length)
  for (const [, { name, type, help }] of METRIC_LIST) {
    t.match(name, /^sluice_[a-z_]+$/)
    t.equal(name.endsWith('_total'), type === 'counter', name)
    if (type === 'histogram') t.match(name, /_seconds$/)
    t.match(help, /^[A-Z0-9].*\.$/, name)
  }
  t.end()
})

test('no metric has a label twice, and none that a histogram needs itself', (t) => {
  for (const [, descriptor] of METRIC_LIST) {
    const labels = labelNames(descriptor)
    t.equal(new Set(labels).size, labels.length, descriptor.name)
    t.notOk(labels.includes('le'), descriptor.name)
    for (const { label, values } of descriptor.axes) {
      if (values !== 'providers') t.equal(new Set<string | number>(values).size, values.length, label)
    }
  }
  t.end()
})

test('histogram bounds rise', (t) => {
  for (const [, descriptor] of METRIC_LIST) {
    if (descriptor.type !== 'histogram') continue
    const { name, bounds } = descriptor
    t.ok(bounds.length > 0 && bounds.every((bound, i) => bound > (bounds[i - 1] ?? 0)), name)
  }
  t.end()
})
