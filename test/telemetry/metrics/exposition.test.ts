// The text that Prometheus reads: heads, label values with every character, and numbers of every kind.
import { test } from 'tap'
import { writeMetric } from '../../../src/telemetry/metrics/exposition.js'
import { parsePage } from '../../helpers/prometheus.js'

const HEAD = { name: 'm', help: 'Of \\ and \n.', type: 'gauge' }

test('a metric has its head and a line for each series', (t) => {
  t.equal(writeMetric(HEAD, []), '# HELP m Of \\\\ and \\n.\n# TYPE m gauge')
  t.equal(
    writeMetric({ name: 'h', help: 'H.', type: 'histogram' }, [
      { suffix: '_bucket', labels: { le: 0.5, a: 'b' }, value: 1 },
      { suffix: '_sum', labels: { a: 'b' }, value: 0.25 },
    ]),
    '# HELP h H.\n# TYPE h histogram\nh_bucket{le="0.5",a="b"} 1\nh_sum{a="b"} 0.25',
  )
  t.end()
})

test('label values with quotes, backslashes and line ends are read back as they were', (t) => {
  const label = 'a"b\\c\nd,e="f"}'
  const { samples } = parsePage(writeMetric(HEAD, [{ labels: { label, other: '' }, value: 1 }]))
  t.same(samples, [{ name: 'm', labels: { label, other: '' }, value: 1 }])
  t.end()
})

test('numbers are written as Prometheus knows them', (t) => {
  const text = (value: number) =>
    writeMetric(HEAD, [{ labels: {}, value }])
      .split('\n')
      .at(-1)
  t.same([1e21, -0.5, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN].map(text), [
    ...['m 1e+21', 'm -0.5', 'm +Inf', 'm -Inf', 'm NaN'],
  ])
  t.end()
})
