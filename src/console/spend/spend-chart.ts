// The one chart of the console: what was spent. Days stand side by side above an axis of days and beside one of dollars; keys, models
// and all else have long names, so each has a line with its bar and amount. The table below it has the same in figures.
import { element } from '../dom.js'
import { money } from '../format.js'
import { visibleText } from '../visible-text.js'
import { type Bar, type Chart, type Dimension } from './spend-report.js'

const SVG = 'http://www.w3.org/2000/svg'
const WIDTH = 1000
const HEIGHT = 180
/** A bar that is not zero is seen. */
const LEAST_HEIGHT = 1
/** Part of a bar's room that is left free. */
const GAP = 0.2
/** Days that are named below the chart, on a narrow page as well. */
const NAMED_DAYS = 4
const PERCENT = 100

/** Draws it; `label` says what it shows. */
export function drawChart(chart: Chart, by: Dimension, label: string): HTMLElement {
  return by === 'day' ? drawDays(chart, label) : drawNames(chart, label)
}

function drawDays({ bars, ticks }: Chart, label: string): HTMLElement {
  const svg = shape('svg', {
    ...{ viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': label },
  })
  const highest = ticks.at(-1) ?? 0
  const marks = element('div', { class: 'marks', 'aria-hidden': 'true' })
  for (const tick of [...ticks].reverse()) {
    const y = highest === 0 ? HEIGHT : HEIGHT * (1 - tick / highest)
    svg.append(shape('line', { x1: '0', x2: String(WIDTH), y1: String(y), y2: String(y) }))
    marks.append(element('span', {}, money(tick)))
  }
  const room = WIDTH / Math.max(1, bars.length)
  svg.append(...bars.map((bar, index) => drawBar(bar, { room, index })))
  const names = element('div', { class: 'names', 'aria-hidden': 'true' })
  const every = Math.max(1, Math.ceil(bars.length / NAMED_DAYS))
  for (const [index, { name }] of bars.entries())
    if (index % every === 0) names.append(nameAt(name, index, bars.length))
  return element('div', { class: 'chart' }, marks, svg, names)
}

function nameAt(name: string, index: number, count: number): HTMLElement {
  // The year is in the dates above.
  const shown = element('span', {}, name.slice('YYYY-'.length))
  shown.style.insetInlineStart = `${(PERCENT * index) / count}%`
  return shown
}

function drawBar({ name, usd, height }: Bar, { room, index }: { room: number; index: number }): SVGRectElement {
  const tall = usd === 0 ? 0 : Math.max(LEAST_HEIGHT, height * HEIGHT)
  const bar = shape('rect', {
    ...{ x: String(index * room + (room * GAP) / 2), width: String(room * (1 - GAP)) },
    ...{ y: String(HEIGHT - tall), height: String(tall) },
  })
  const title = shape('title', {})
  title.append(`${name}: ${money(usd)}`)
  bar.append(title)
  return bar
}

function drawNames({ bars }: Chart, label: string): HTMLElement {
  const list = element('ol', { class: 'waterfall', 'aria-label': label })
  for (const { name, usd, height } of bars) {
    const bar = element('span', { class: 'bar-of' })
    bar.style.width = `${PERCENT * height}%`
    const amount = element('span', { class: 'number' }, money(usd))
    list.append(
      element('li', {}, element('span', {}, visibleText(name)), amount, element('span', { class: 'track' }, bar)),
    )
  }
  return list
}

function shape<Tag extends keyof SVGElementTagNameMap>(
  tag: Tag,
  attributes: Readonly<Record<string, string>>,
): SVGElementTagNameMap[Tag] {
  const made = document.createElementNS(SVG, tag) as SVGElementTagNameMap[Tag]
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value)
  return made
}
