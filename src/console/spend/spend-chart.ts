// The one chart of the console: what was spent, a bar for each day, key or model. The table below it has the same in figures.
import { money } from '../format.js'
import { visibleText } from '../visible-text.js'
import { type Bar } from './spend-report.js'

const SVG = 'http://www.w3.org/2000/svg'
const WIDTH = 1000
const HEIGHT = 180
/** A bar that is not zero is seen. */
const LEAST_HEIGHT = 1
/** Fewer bars are no wider than these. */
const LEAST_BARS = 15
/** Part of a bar's room that is left free. */
const GAP = 0.2

/** Draws it. */
export function drawChart(bars: readonly Bar[], label: string): SVGSVGElement {
  const svg = shape('svg', {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    preserveAspectRatio: 'none',
    role: 'img',
    class: 'chart',
  })
  svg.setAttribute('aria-label', label)
  const room = WIDTH / Math.max(LEAST_BARS, bars.length)
  for (const [index, { name, usd, height }] of bars.entries()) {
    const tall = usd === 0 ? 0 : Math.max(LEAST_HEIGHT, height * HEIGHT)
    const bar = shape('rect', {
      ...{ x: String(index * room + (room * GAP) / 2), width: String(room * (1 - GAP)) },
      ...{ y: String(HEIGHT - tall), height: String(tall) },
    })
    const title = shape('title', {})
    title.append(`${visibleText(name)}: ${money(usd)}`)
    bar.append(title)
    svg.append(bar)
  }
  return svg
}

function shape<Tag extends keyof SVGElementTagNameMap>(
  tag: Tag,
  attributes: Readonly<Record<string, string>>,
): SVGElementTagNameMap[Tag] {
  const made = document.createElementNS(SVG, tag) as SVGElementTagNameMap[Tag]
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value)
  return made
}
