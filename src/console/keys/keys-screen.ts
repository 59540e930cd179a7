// Keys and teams: who may use the gateway, and how much. A key leads to a page of its own, where it is changed.
import { ApiError, withQuery } from '../api.js'
import { element, field, setText } from '../dom.js'
import { clockTime, orNone } from '../format.js'
import { openDialog } from '../shell/dialogs.js'
import { Notice } from '../shell/parts.js'
import { type Place, placeHref } from '../shell/place.js'
import { type OpenScreen, type Screen, type ScreenGround } from '../shell/screen.js'
import { type Column, createTable } from '../shell/table.js'
import { visibleText } from '../visible-text.js'
import { createKeyForm } from './key-form.js'
import { openKey } from './key-page.js'
import { type KeyRecord, keyState, limitsText, readList, type TeamRecord } from './key-record.js'
import { showSecret } from './secret-dialog.js'

type Page<Item> = { readonly data: readonly Item[]; readonly next: string | null }

/** Without a secret if it was there already. */
type Made = { readonly name: string; readonly secret?: string }

const LIMIT = 1000

const KEY_COLUMNS: readonly Column<KeyRecord>[] = [
  { name: 'Key', textOf: ({ name }) => name, hrefOf: ({ name }) => placeHref('keys', name) },
  { name: 'State', textOf: (key) => keyState(key, Date.now()) },
  { name: 'Team', textOf: ({ team }) => orNone(team) },
  { name: 'Models', textOf: ({ models }) => models.join(', ') },
  { name: 'Limits', textOf: ({ limits }) => limitsText(limits) },
  { name: 'Expires', isNumber: true, textOf: ({ expiresAt }) => clockTime(expiresAt, new Date()) },
  { name: 'Last used', isNumber: true, textOf: ({ lastUsedAt }) => clockTime(lastUsedAt, new Date()) },
  { name: 'From', textOf: ({ source }) => source },
]
const TEAM_COLUMNS: readonly Column<TeamRecord>[] = [
  { name: 'Team', textOf: ({ name }) => name },
  { name: 'State', textOf: ({ disabled }) => (disabled ? 'disabled' : 'active') },
  { name: 'Models', textOf: ({ models }) => models.join(', ') },
  { name: 'Limits', textOf: ({ limits }) => limitsText(limits) },
]

export const KEYS_SCREEN: Screen = {
  name: 'keys',
  title: 'Keys',
  open: (ground, place: Place) => (place.part === '' ? openKeys(ground) : openKey(ground, place.part)),
}

function openKeys(ground: ScreenGround): OpenScreen {
  const { api, who, tellTrouble } = ground
  const ended = new AbortController()
  const summary = element('p', { class: 'hint', role: 'status' }, 'Loading ...')
  const notice = new Notice()
  const keys = createTable<KeyRecord>({
    ...{ label: 'Keys', className: 'keys', columns: KEY_COLUMNS, idOf: ({ name }) => name },
    stateOf: (key) => keyState(key, Date.now()),
  })
  const teams = createTable<TeamRecord>({
    ...{ label: 'Teams', className: 'teams', columns: TEAM_COLUMNS, idOf: ({ name }) => name },
    stateOf: ({ disabled }) => (disabled ? 'disabled' : 'active'),
    createActions({ name }, current) {
      const budgets = element('a', { href: placeHref('budgets', '', { of: `team:${name}` }) }, 'Budgets')
      budgets.setAttribute('aria-label', `Budgets of the team ${visibleText(name)}`)
      if (who.role !== 'write') return { nodes: [budgets] }
      const button = element('button', { type: 'button' })
      button.addEventListener('click', () => void toggle(current()))
      const update = ({ disabled }: TeamRecord): void => {
        setText(button, disabled ? 'Enable' : 'Disable')
        button.setAttribute('aria-label', `${disabled ? 'Enable' : 'Disable'} the team ${name}`)
      }
      return { nodes: [budgets, button], update }
    },
  })
  const load = async (): Promise<void> => {
    try {
      const [listed, grouped] = await Promise.all([
        api.get<Page<KeyRecord>>(withQuery('/keys', { limit: LIMIT }), ended.signal),
        api.get<Page<TeamRecord>>(withQuery('/teams', { limit: LIMIT }), ended.signal),
      ])
      await keys.show(listed.data)
      await teams.show(grouped.data)
      const rest = listed.next === null ? '' : ' The first ones are shown.'
      setText(summary, `${listed.data.length} keys, ${grouped.data.length} teams.${rest}`)
      tellTrouble(null)
    } catch (thrown) {
      if (ended.signal.aborted) return
      if (!(thrown instanceof ApiError)) throw thrown
      setText(summary, thrown.message)
    }
  }
  const toggle = async ({ name, disabled }: TeamRecord): Promise<void> => {
    const change = () => api.change('PATCH', `/teams/${encodeURIComponent(name)}`, { body: { disabled: !disabled } })
    await notice.attempt(change, `The team ${name} is ${disabled ? 'enabled' : 'disabled'}.`)
    await load()
  }
  const buttons = element('div', { class: 'buttons' })
  if (who.role === 'write') {
    const newKey = element('button', { type: 'button', class: 'main' }, 'New key')
    newKey.addEventListener('click', () => createKey(ground, () => void load()))
    const newTeam = element('button', { type: 'button' }, 'New team')
    newTeam.addEventListener('click', () => createTeam(ground, () => void load()))
    buttons.append(newKey, newTeam)
  }
  void load()
  const top = element('div', { class: 'top' }, element('h1', {}, 'Keys and teams'), summary, buttons)
  const root = element('div', { class: 'screen' }, top, notice.root, keys.root, teams.root)
  return { root, close: () => ended.abort() }
}

function createKey({ api }: ScreenGround, onCreated: () => void): void {
  const notice = new Notice()
  const form = createKeyForm(null, 'Create the key', () => void submit())
  const dialog = openDialog('New key', [form.root, notice.root])
  const submit = async (): Promise<void> => {
    let made = null as Made | null
    const create = async (): Promise<void> => {
      made = await api.change<Made>('POST', '/keys', { body: form.body() })
    }
    if (!(await notice.attempt(create, ''))) return
    const { name = '', secret }: Partial<Made> = made ?? {}
    dialog.close()
    onCreated()
    if (secret !== undefined) await showSecret(name, secret)
  }
}

function createTeam({ api }: ScreenGround, onCreated: () => void): void {
  const notice = new Notice()
  const name = element('input', { id: 'team-name', required: true, spellcheck: false, autocomplete: 'off' })
  const models = element('input', { id: 'team-models', value: '*', spellcheck: false, autocomplete: 'off' })
  const go = element('button', { type: 'submit', class: 'main' }, 'Create the team')
  const form = element(
    'form',
    { class: 'form' },
    field('Name', name),
    field('Models', models, 'Names, with * for any part.'),
  )
  form.append(element('div', { class: 'buttons' }, go))
  const dialog = openDialog('New team', [form, notice.root])
  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    const body = { name: name.value.trim(), models: readList(models.value), limits: NO_LIMITS }
    if (!(await notice.attempt(() => api.change('POST', '/teams', { body }), ''))) return
    dialog.close()
    onCreated()
  })
}

const NO_LIMITS = { requestsPerMinute: null, tokensPerMinute: null, concurrency: null }
