// Writes one metric in Prometheus text format 0.0.4. Our own, because prom-client cannot set the buckets of a histogram: its
// `observe` takes one value at a time, while a scrape has sums. Pure.
// https://prometheus.io/docs/instrumenting/exposition_formats/
import { type Labels, type Series } from './series.js'

/** The head of a metric and a line for each series, without a line end after the last. */
export function writeMetric(head: { name: string; help: string; type: string }, series: readonly Series[]): string {
  const lines = [`# HELP ${head.name} ${escapeHelp(head.help)}`, `# TYPE ${head.name} ${head.type}`]
  for (const { suffix = '', labels, value } of series) {
    lines.push(`${head.name}${suffix}${labelText(labels)} ${numberText(value)}`)
  }
  return lines.join('\n')
}

function labelText(labels: Labels): string {
  let text = ''
  for (const name in labels) text += `${text === '' ? '{' : ','}${name}="${escapeLabel(String(labels[name]))}"`
  return text === '' ? '' : `${text}}`
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf'
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value)
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"')
}
