// A new budget: whose it is, and how much of what may be spent in which time. What is typed is sent as it is; the API judges it.
import { type AdminApi } from '../api.js'
import { choice, element, field } from '../dom.js'
import { openDialog } from '../shell/dialogs.js'
import { Notice } from '../shell/parts.js'
import { amountBody, readScope, scopeOf } from './budget-record.js'

const KINDS = [
  ['gateway', 'all requests'],
  ['key', 'a key'],
  ['team', 'a team'],
  ['model', 'a model'],
  ['tag', 'a tag'],
] as const
const PERIODS = [
  ['month', 'month'],
  ['week', 'week'],
  ['day', 'day'],
  ['hour', 'hour'],
  ['total', 'ever'],
] as const
const UNITS = [
  ['usd', 'dollars'],
  ['tokens', 'tokens'],
] as const

/** `scope`: whose it is at first. `onCreated` is called once. */
export function openBudgetDialog(api: AdminApi, scope: string, onCreated: () => void): void {
  const given = readScope(scope)
  const notice = new Notice()
  const text = (id: string, value = '') => element('input', { id, value, spellcheck: false, autocomplete: 'off' })
  const name = element('input', { id: 'budget-name', required: true, spellcheck: false, autocomplete: 'off' })
  const kind = choice('budget-kind', KINDS)
  const which = text('budget-which', given.name)
  const amount = amountInput('budget-amount')
  const unit = choice('budget-unit', UNITS)
  const per = choice('budget-per', PERIODS)
  kind.value = given.kind
  const form = element(
    'form',
    { class: 'form' },
    field('Name', name),
    field('Of', kind),
    field('Which', which, 'Its name; of a model with * for any part.'),
    field('Amount', amount),
    field('In', unit),
    field('Per', per, 'In UTC.'),
    element('div', { class: 'buttons' }, element('button', { type: 'submit', class: 'main' }, 'Create the budget')),
  )
  const showWhich = (): void => {
    which.disabled = kind.value === 'gateway'
  }
  kind.addEventListener('change', showWhich)
  showWhich()
  const dialog = openDialog('New budget', [form, notice.root])
  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    const body = {
      name: name.value.trim(),
      scope: scopeOf(kind.value, which.value),
      per: per.value,
      ...amountBody(unit.value, Number(amount.value)),
    }
    if (!(await notice.attempt(() => api.change('POST', '/budgets', { body }), ''))) return
    dialog.close()
    onCreated()
  })
}

/** Of dollars or tokens. */
export function amountInput(id: string, value: number | '' = ''): HTMLInputElement {
  return element('input', { id, type: 'number', required: true, min: 0, step: 'any', value, class: 'number' })
}
