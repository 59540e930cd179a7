// One budget: what is used of it, and how its limit is changed, its spend adjusted, and it is deleted.
import { type Child, choice, element, field } from '../dom.js'
import { clockTime } from '../format.js'
import { actionButton, facts } from '../shell/parts.js'
import { placeHref } from '../shell/place.js'
import { RecordPage } from '../shell/record-page.js'
import { type OpenScreen, type ScreenGround } from '../shell/screen.js'
import { amountInput } from './budget-dialog.js'
import { amountBody, amountOf, type BudgetRecord, limitOf, unitOf } from './budget-record.js'

/** Shows it until it is closed. */
export function openBudget(ground: ScreenGround, name: string): OpenScreen {
  const page: RecordPage<BudgetRecord> = new RecordPage<BudgetRecord>(ground, {
    path: `/budgets/${encodeURIComponent(name)}`,
    title: name,
    links: [element('a', { href: placeHref('budgets') }, 'All budgets')],
    show: (budget) => [factsOf(budget), ...(ground.who.role === 'write' ? changesOf(page, budget) : [])],
  })
  void page.load()
  return { root: page.root, close: () => page.close() }
}

function factsOf(budget: BudgetRecord): HTMLElement {
  const now = new Date()
  return facts([
    ['Of', budget.scope],
    ['Limit', `${amountOf(budget, limitOf(budget))} per ${budget.per}`],
    ['Spent', amountOf(budget, budget.spent)],
    ['Reserved', amountOf(budget, budget.reserved)],
    ['Left', amountOf(budget, budget.left)],
    ['Begins anew', clockTime(budget.resetsAt, now)],
    ['Created', clockTime(budget.createdAt, now)],
  ])
}

function changesOf(page: RecordPage<BudgetRecord>, budget: BudgetRecord): Child[] {
  const { name } = budget
  const deletion = {
    title: `Delete ${name}?`,
    text: 'It limits nothing from now on, and what was spent of it is forgotten. It cannot be undone.',
    yes: 'Delete the budget',
  }
  return [
    element(
      'div',
      { class: 'buttons' },
      actionButton('Delete', () => page.delete(deletion, placeHref('budgets')), 'bad'),
    ),
    element('h2', {}, 'Change its limit'),
    limitForm(page, budget),
    element('h2', {}, 'Adjust what is spent'),
    adjustForm(page, budget),
  ]
}

function limitForm(page: RecordPage<BudgetRecord>, budget: BudgetRecord): HTMLElement {
  const limit = amountInput('budget-limit', limitOf(budget))
  return formOf('Save', [field(`Limit in ${unitName(budget)}`, limit, 'What is spent stays.')], () =>
    page.change({ method: 'PATCH', body: amountBody(unitOf(budget), Number(limit.value)) }, 'Saved.'),
  )
}

function adjustForm(page: RecordPage<BudgetRecord>, budget: BudgetRecord): HTMLElement {
  const kind = choice('adjust-kind', [
    ['refund', 'refund'],
    ['add', 'add to what is spent'],
  ])
  const amount = amountInput('adjust-amount')
  const reason = element('input', { id: 'adjust-reason', required: true, maxlength: MAX_REASON, autocomplete: 'off' })
  const fields = [
    field('What to do', kind),
    field(`Amount in ${unitName(budget)}`, amount),
    field('Reason', reason, 'For the audit.'),
  ]
  return formOf('Adjust', fields, () => {
    const sign = kind.value === 'refund' ? -1 : 1
    const body = { ...amountBody(unitOf(budget), sign * Number(amount.value)), reason: reason.value.trim() }
    return page.change({ method: 'POST', suffix: '/adjust', body }, 'Adjusted.')
  })
}

/** As in the admin API. */
const MAX_REASON = 512

function formOf(verb: string, fields: readonly HTMLElement[], submit: () => Promise<void>): HTMLElement {
  const form = element('form', { class: 'form' }, ...fields)
  form.append(element('div', { class: 'buttons' }, element('button', { type: 'submit', class: 'main' }, verb)))
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    void submit()
  })
  return form
}

function unitName(budget: BudgetRecord): string {
  return unitOf(budget) === 'usd' ? 'dollars' : 'tokens'
}
