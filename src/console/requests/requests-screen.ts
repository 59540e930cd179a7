// Requests: the last ones that have ended. What is asked for is in the address; each leads to a page of its own.
import { withQuery } from '../api.js'
import { choice, element, field } from '../dom.js'
import { clockTime, count, duration, money, orNone } from '../format.js'
import { openFiltered } from '../shell/filtered-screen.js'
import { type Place, placeHref } from '../shell/place.js'
import { type OpenScreen, type Screen, type ScreenGround } from '../shell/screen.js'
import { type Column, createTable } from '../shell/table.js'
import { ANY_FAILURE, markOf, type RequestEntry } from './request-entry.js'
import { openRequest } from './request-page.js'

type Listed = { readonly data: readonly RequestEntry[]; readonly silent: readonly number[] }

/** Query parameters of the API that the form has, with their labels. */
const FILTERS = [
  ['key', 'Key'],
  ['model', 'Model'],
  ['provider', 'Provider'],
  ['outcome', 'Outcome'],
  ['status', 'Status'],
] as const
const OUTCOMES: readonly (readonly [value: string, label: string])[] = [
  ['', 'any'],
  [ANY_FAILURE, 'all failures'],
  ...[
    'complete',
    'client_gone',
    'rejected',
    'upstream_cut',
    'stalled',
    'limit',
    'slow_reader',
    'drained',
    'failed',
  ].map((outcome) => [outcome, outcome] as const),
]
const LIMIT = 200

const COLUMNS: readonly Column<RequestEntry>[] = [
  { name: 'Ended', textOf: ({ endedAt }) => clockTime(endedAt, new Date()) },
  {
    name: 'Request',
    isMono: true,
    textOf: ({ id }) => id,
    hrefOf: ({ id }) => placeHref('requests', id),
  },
  { name: 'Outcome', textOf: ({ outcome, error }) => (error === undefined ? outcome : `${outcome}: ${error.code}`) },
  { name: 'Status', isNumber: true, textOf: ({ status }) => String(status) },
  { name: 'Key', textOf: ({ key }) => orNone(key) },
  { name: 'Model', textOf: ({ model }) => orNone(model) },
  { name: 'Target', textOf: ({ target }) => orNone(target) },
  { name: 'First token', isNumber: true, textOf: ({ ttftMs }) => duration(ttftMs) },
  { name: 'Total', isNumber: true, textOf: ({ totalMs }) => duration(totalMs) },
  { name: 'In + out', isNumber: true, textOf: ({ tokens }) => `${count(tokens.in)} + ${count(tokens.out)} tok` },
  { name: 'Cost', isNumber: true, textOf: ({ cost }) => money(cost ?? null) },
]

export const REQUESTS_SCREEN: Screen = {
  name: 'requests',
  title: 'Requests',
  open: (ground, place) => (place.part === '' ? openRequests(ground, place) : openRequest(ground, place.part)),
}

function openRequests(ground: ScreenGround, { query }: Place): OpenScreen {
  const table = createTable<RequestEntry>({
    ...{ label: 'Requests', className: 'requests', columns: COLUMNS, stateOf: markOf },
    idOf: ({ id, endedAt, loop }) => `${id} ${endedAt} ${loop}`,
  })
  const inputs = FILTERS.map(([name, label]) => {
    const id = `filter-${name}`
    const value = query.get(name) ?? ''
    if (name !== 'outcome') return { name, label, input: element('input', { id, value, spellcheck: false }) }
    const input = choice(id, OUTCOMES)
    input.value = value
    return { name, label, input }
  })
  const asked = (): Record<string, string> =>
    Object.fromEntries(inputs.map(({ name, input }) => [name, input.value.trim()]))
  return openFiltered<Listed>(ground, {
    title: 'Requests',
    fields: inputs.map(({ label, input }) => field(label, input)),
    below: [table.root],
    path: () => withQuery('/requests', { ...inApi(asked()), limit: LIMIT }),
    href: () => placeHref('requests', '', asked()),
    async show({ data, silent }) {
      await table.show(data)
      const missing = silent.length === 0 ? '' : ` Event loop ${silent.join(', ')} did not answer.`
      return data.length === 0 ? `No such requests.${missing}` : `The last ${data.length}.${missing}`
    },
    clear: () => void table.show([]),
  })
}

function inApi({ outcome, ...asked }: Record<string, string>): Record<string, string | null> {
  return outcome === ANY_FAILURE ? { ...asked, failed: 'true' } : { ...asked, outcome: outcome ?? null }
}
