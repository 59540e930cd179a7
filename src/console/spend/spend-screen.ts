// Spend: what was spent in some days, by day, team, key, model, provider, tag or end user, as a chart, a table and CSV. What is asked for
// is in the address.
import { withQuery } from '../api.js'
import { choice, element, field, fill } from '../dom.js'
import { count, money } from '../format.js'
import { openFiltered } from '../shell/filtered-screen.js'
import { actionButton, Notice } from '../shell/parts.js'
import { type Place, placeHref } from '../shell/place.js'
import { type OpenScreen, type Screen, type ScreenGround } from '../shell/screen.js'
import { type Column, createTable } from '../shell/table.js'
import { drawChart } from './spend-chart.js'
import {
  chartOf,
  DIMENSIONS,
  type Dimension,
  dayText,
  nameOf,
  type SpendReport,
  type SpendRow,
  sorted,
} from './spend-report.js'

type Shown = { readonly row: SpendRow; readonly by: Dimension }

const LIMIT = 1000
const MOST_LINES = 10_000
/** How far back it looks unless somebody says otherwise. */
const DAYS = 30

const COLUMNS: readonly Column<Shown>[] = [
  { name: 'Of', textOf: ({ row, by }) => nameOf(row, by) },
  { name: 'Cost', isNumber: true, textOf: ({ row }) => money(row.usd) },
  { name: 'Requests', isNumber: true, textOf: ({ row }) => count(row.requests) },
  { name: 'Errors', isNumber: true, textOf: ({ row }) => count(row.errors) },
  { name: 'In', isNumber: true, textOf: ({ row }) => `${count(row.inputTokens)} tok` },
  { name: 'Cached', isNumber: true, textOf: ({ row }) => `${count(row.cachedTokens)} tok` },
  { name: 'Out', isNumber: true, textOf: ({ row }) => `${count(row.outputTokens)} tok` },
  { name: 'Unpriced', isNumber: true, textOf: ({ row }) => count(row.unpriced) },
]

export const SPEND_SCREEN: Screen = { name: 'spend', title: 'Spend', open: openSpend }

function openSpend(ground: ScreenGround, { query }: Place): OpenScreen {
  const { api } = ground
  const notice = new Notice()
  const chart = element('div', {})
  const table = createTable<Shown>({
    ...{ label: 'Spend', className: 'spend', columns: COLUMNS },
    idOf: ({ row, by }) => `${by} ${JSON.stringify(row[by])}`,
  })
  const by = choice(
    'by',
    DIMENSIONS.map((name) => [name, name] as const),
  )
  by.value = DIMENSIONS.find((name) => name === query.get('by')) ?? 'day'
  const now = Date.now()
  const day = (id: string, value: string) => element('input', { id, type: 'date', value, required: true })
  const from = day('from', query.get('from') ?? dayText(now, 1 - DAYS))
  const to = day('to', query.get('to') ?? dayText(now))
  /** The last day is shown whole. */
  const asked = () => ({ by: by.value, from: from.value, to: dayText(Date.parse(to.value), 1) })
  const path = (more: Readonly<Record<string, string | number>> = { limit: LIMIT }) =>
    withQuery('/spend', { ...asked(), ...more })
  const save = async (): Promise<void> => {
    const answer = await api.open('GET', path({ format: 'csv', limit: MOST_LINES }))
    saveFile(`spend-by-${by.value}-${from.value}-${to.value}.csv`, await answer.blob())
  }
  return openFiltered<SpendReport>(ground, {
    title: 'Spend',
    fields: [field('By', by), field('From', from), field('To', to)],
    buttons: [actionButton('Save as CSV', async () => void (await notice.attempt(save, 'The CSV is saved.')))],
    below: [notice.root, chart, table.root],
    path: () => path(),
    href: () => placeHref('spend', '', { by: by.value, from: from.value, to: to.value }),
    async show(report) {
      const { data, total, next } = report
      const dimension = by.value as Dimension
      const rest = next === null ? '' : ' The first ones are shown; the CSV has more.'
      const unpriced = total.unpriced === 0 ? '' : `, ${count(total.unpriced)} attempts without a price`
      const said = `${money(total.usd)} for ${count(total.requests)} requests${unpriced}.`
      fill(
        chart,
        data.length === 0 ? null : drawChart(chartOf(report, dimension), dimension, `Cost by ${dimension}: ${said}`),
      )
      await table.show(sorted(data, dimension).map((row) => ({ row, by: dimension })))
      return data.length === 0 ? 'Nothing was spent in these days.' : `${said}${rest}`
    },
    clear: () => fill(chart),
  })
}

function saveFile(name: string, contents: Blob): void {
  const url = URL.createObjectURL(contents)
  element('a', { href: url, download: name }).click()
  URL.revokeObjectURL(url)
}
