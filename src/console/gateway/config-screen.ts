// Configuration: what takes effect, secrets masked, and where each value was set; the last reload; what operators did.
import { ApiError, withQuery } from '../api.js'
import { element, fill, setText } from '../dom.js'
import { clockTime, orNone } from '../format.js'
import { facts } from '../shell/parts.js'
import { type Place, placeHref } from '../shell/place.js'
import { type OpenScreen, type Screen, type ScreenGround } from '../shell/screen.js'
import { type Column, createTable } from '../shell/table.js'
import { visibleText } from '../visible-text.js'
import { type ConfigEntry, entriesOf } from './config-entries.js'

type Reload = {
  readonly at: string
  readonly result: string
  readonly reason: string | null
  readonly restartNeededFor: readonly string[]
  readonly changes: readonly { readonly path: string; readonly before: unknown; readonly after: unknown }[]
}
type Report = {
  readonly version: string
  readonly node: string
  readonly startedAt: string
  readonly file: string | null
  readonly warnings: readonly string[]
  readonly config: unknown
  readonly origins: Readonly<Record<string, string>>
  readonly reload: Reload | null
}
type AuditItem = {
  readonly seq: number
  readonly at: string
  readonly by: string
  readonly action: string
  readonly target: string
}

const AUDIT_LIMIT = 50
const ENTRY_COLUMNS: readonly Column<ConfigEntry>[] = [
  { name: 'Option', isMono: true, textOf: ({ path }) => path },
  { name: 'Value', isMono: true, textOf: ({ value }) => value },
  { name: 'Set in', textOf: ({ origin }) => origin ?? 'default' },
]
const AUDIT_COLUMNS: readonly Column<AuditItem>[] = [
  { name: 'When', textOf: ({ at }) => clockTime(at, new Date()) },
  { name: 'Who', textOf: ({ by }) => by },
  { name: 'What', textOf: ({ action }) => action },
  { name: 'To', isMono: true, textOf: ({ target }) => target },
]

export const CONFIG_SCREEN: Screen = { name: 'config', title: 'Configuration', open: openConfig }

function openConfig({ api, tellTrouble }: ScreenGround, { query }: Place): OpenScreen {
  const ended = new AbortController()
  const summary = element('p', { class: 'hint', role: 'status' }, 'Loading ...')
  const find = element('input', { id: 'find', type: 'search', spellcheck: false, value: query.get('find') ?? '' })
  const all = element('input', { id: 'defaults', type: 'checkbox', checked: query.get('all') === '1' })
  const state = element('div', { class: 'screen' })
  const options = createTable<ConfigEntry>({
    ...{ label: 'Options', className: 'options', columns: ENTRY_COLUMNS, idOf: ({ path }) => path },
    stateOf: ({ origin }) => (origin === null ? 'default' : 'set'),
  })
  const audit = createTable<AuditItem>({
    ...{ label: 'What operators did', className: 'audit', columns: AUDIT_COLUMNS, idOf: ({ seq }) => String(seq) },
  })
  let entries: readonly ConfigEntry[] = []
  let showing: Promise<void> = Promise.resolve()
  const show = (): void => {
    const wanted = find.value.trim().toLowerCase()
    history.replaceState(null, '', placeHref('config', '', { find: find.value.trim(), all: all.checked ? '1' : '' }))
    const shown = entries.filter(
      ({ path, origin }) => (all.checked || origin !== null) && path.toLowerCase().includes(wanted),
    )
    showing = showing.then(() => options.show(shown))
    setText(summary, `${shown.length} of ${entries.length} options.`)
  }
  find.addEventListener('input', show)
  all.addEventListener('change', show)
  const load = async (): Promise<void> => {
    try {
      const report = await api.get<Report>('/config', ended.signal)
      entries = entriesOf(report.config, report.origins)
      fill(state, ...showReport(report))
      show()
      const { data } = await api.get<{ readonly data: readonly AuditItem[] }>(
        withQuery('/audit', { limit: AUDIT_LIMIT }),
        ended.signal,
      )
      await audit.show(data)
      tellTrouble(null)
    } catch (thrown) {
      if (ended.signal.aborted) return
      if (!(thrown instanceof ApiError)) throw thrown
      setText(summary, thrown.message)
    }
  }
  void load()
  const top = element(
    'div',
    { class: 'top' },
    element('h1', {}, 'Configuration'),
    element('div', { class: 'field inline' }, element('label', { for: 'find' }, 'Find'), find),
    element('div', { class: 'field inline' }, all, element('label', { for: 'defaults' }, 'Defaults as well')),
    summary,
  )
  const heading = element('h2', {}, 'What operators did')
  const root = element('div', { class: 'screen' }, top, state, options.root, heading, audit.root)
  return { root, close: () => ended.abort() }
}

function showReport({ version, node, startedAt, file, warnings, reload }: Report): HTMLElement[] {
  const now = new Date()
  const list = warnings.map((warning) => element('p', { class: 'warning' }, visibleText(warning)))
  return [
    facts([
      ['Version', version],
      ['Node', node],
      ['Started', clockTime(startedAt, now)],
      ['File', orNone(file)],
      ['Last reload', reload === null ? 'none since the start' : reloadText(reload, now)],
    ]),
    ...list,
    ...(reload === null || reload.changes.length === 0 ? [] : [changesOf(reload)]),
  ]
}

function reloadText({ at, result, reason, restartNeededFor }: Reload, now: Date): string {
  const restart = restartNeededFor.length === 0 ? '' : `; a restart is needed for ${restartNeededFor.join(', ')}`
  return `${clockTime(at, now)}: ${result}${reason === null ? '' : `, ${reason}`}${restart}`
}

function changesOf({ changes }: Reload): HTMLElement {
  const list = element('ul', { 'aria-label': 'Changed by the last reload' })
  for (const { path, before, after } of changes) {
    list.append(element('li', {}, visibleText(`${path}: ${JSON.stringify(before)} became ${JSON.stringify(after)}`)))
  }
  return list
}
