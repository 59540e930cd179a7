// Budgets: how much of each is spent, reserved and left, and when it begins anew. It ticks by itself. A budget leads to a page of its own,
// where it is changed. The address may name whose budgets are shown.
import { withQuery } from '../api.js'
import { element, setText } from '../dom.js'
import { clockTime } from '../format.js'
import { type Place, placeHref } from '../shell/place.js'
import { type OpenScreen, type Screen, type ScreenGround } from '../shell/screen.js'
import { type Column, createTable } from '../shell/table.js'
import { startTicker } from '../shell/ticker.js'
import { visibleText } from '../visible-text.js'
import { openBudgetDialog } from './budget-dialog.js'
import { openBudget } from './budget-page.js'
import { amountOf, type BudgetRecord, fillOf, isUsedUp, limitOf, sharesOf, usedText } from './budget-record.js'

type Listed = { readonly data: readonly BudgetRecord[]; readonly next: string | null }

const EVERY_MS = 5000
const LIMIT = 1000
const PERCENT = 100

const COLUMNS: readonly Column<BudgetRecord>[] = [
  { name: 'Budget', textOf: ({ name }) => name, hrefOf: ({ name }) => placeHref('budgets', name) },
  { name: 'Of', textOf: ({ scope }) => scope },
  { name: 'Limit', isNumber: true, textOf: (budget) => `${amountOf(budget, limitOf(budget))} per ${budget.per}` },
  { name: 'Spent', isNumber: true, textOf: (budget) => amountOf(budget, budget.spent) },
  { name: 'Reserved', isNumber: true, textOf: (budget) => amountOf(budget, budget.reserved) },
  { name: 'Left', isNumber: true, textOf: (budget) => amountOf(budget, budget.left) },
  { name: 'Used + reserved', isNumber: true, textOf: usedText },
  { name: 'Begins anew', isNumber: true, textOf: ({ resetsAt }) => clockTime(resetsAt, new Date()) },
]

export const BUDGETS_SCREEN: Screen = {
  name: 'budgets',
  title: 'Budgets',
  open: (ground, place) => (place.part === '' ? openBudgets(ground, place) : openBudget(ground, place.part)),
}

function openBudgets({ api, who, tellTrouble }: ScreenGround, { query }: Place): OpenScreen {
  const scope = query.get('of') ?? ''
  const summary = element('p', { class: 'hint', role: 'status' }, 'Loading ...')
  const table = createTable<BudgetRecord>({
    ...{ label: 'Budgets', className: 'budgets', columns: COLUMNS, idOf: ({ name }) => name, stateOf: fillOf },
    createActions: createBar,
  })
  const ticker = startTicker({
    ...{ everyMs: EVERY_MS, tellTrouble },
    async tick(signal) {
      const { data, next } = await api.get<Listed>(withQuery('/budgets', { limit: LIMIT }), signal)
      const shown = scope === '' ? data : data.filter((budget) => budget.scope === scope)
      await table.show(shown)
      const empty = shown.filter(isUsedUp).length
      const said = shown.length === 0 ? 'There are no budgets.' : `${shown.length} in all, ${empty} used up.`
      setText(summary, next === null ? said : `${said} The first ones are shown.`)
    },
  })
  const create = (): void => openBudgetDialog(api, scope, () => ticker.now())
  const top = element(
    'div',
    { class: 'top' },
    element('h1', {}, scope === '' ? 'Budgets' : visibleText(`Budgets of ${scope}`)),
    summary,
    scope === '' ? null : element('a', { href: placeHref('budgets') }, 'All budgets'),
    who.role === 'write' ? element('button', { type: 'button', class: 'main', click: create }, 'New budget') : null,
  )
  return { root: element('div', { class: 'screen' }, top, table.root), close: () => ticker.stop() }
}

/** Its figures are in the columns, so it says nothing to those who cannot see it. */
function createBar() {
  const spent = element('span', { class: 'bar-of' })
  const reserved = element('span', { class: 'bar-of', 'data-kind': 'wait' })
  const track = element('span', { class: 'track meter', 'aria-hidden': 'true' }, spent, reserved)
  const update = (budget: BudgetRecord): void => {
    const shares = sharesOf(budget)
    spent.style.width = `${PERCENT * shares.spent}%`
    reserved.style.width = `${PERCENT * shares.reserved}%`
  }
  return { nodes: [track], update }
}
