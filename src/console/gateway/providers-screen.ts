// Providers: how they have done in the last minutes, and a pause for one that should get no more requests.
import { element, setText } from '../dom.js'
import { count, duration, percent } from '../format.js'
import { confirmChange } from '../shell/dialogs.js'
import { Notice } from '../shell/parts.js'
import { placeHref } from '../shell/place.js'
import { type OpenScreen, type Screen, type ScreenGround } from '../shell/screen.js'
import { type Column, createTable } from '../shell/table.js'
import { startTicker } from '../shell/ticker.js'
import { type ProviderRecord, providerState, providerWords } from './provider-record.js'

type Listed = { readonly data: readonly ProviderRecord[]; readonly silent: readonly number[] }

const EVERY_MS = 2000
const MIN_MS = 60_000

const COLUMNS: readonly Column<ProviderRecord>[] = [
  { name: 'Provider', textOf: ({ name }) => name, hrefOf: ({ name }) => placeHref('requests', '', { provider: name }) },
  { name: 'State', textOf: providerWords },
  { name: 'API', textOf: ({ protocol }) => protocol },
  { name: 'Attempts', isNumber: true, textOf: ({ attempts }) => count(attempts) },
  { name: 'Failed', isNumber: true, textOf: ({ failed }) => count(failed) },
  { name: 'Error share', isNumber: true, textOf: ({ errorShare }) => percent(errorShare) },
  { name: '429s', isNumber: true, textOf: ({ rateLimited }) => count(rateLimited) },
  { name: 'First token p50', isNumber: true, textOf: ({ firstTokenMs }) => duration(firstTokenMs.p50) },
  { name: 'p95', isNumber: true, textOf: ({ firstTokenMs }) => duration(firstTokenMs.p95) },
]

export const PROVIDERS_SCREEN: Screen = { name: 'providers', title: 'Providers', open: openProviders }

function openProviders(ground: ScreenGround): OpenScreen {
  const { api, who, tellTrouble } = ground
  const summary = element('p', { class: 'hint', role: 'status' }, 'Loading ...')
  const notice = new Notice()
  const table = createTable<ProviderRecord>({
    ...{ label: 'Providers', className: 'providers', columns: COLUMNS, idOf: ({ name }) => name },
    stateOf: providerState,
    createActions({ name }, current) {
      if (who.role !== 'write') return { nodes: [] }
      const button = element('button', { type: 'button' })
      button.addEventListener('click', () => void change(ground, current(), notice).then(() => ticker.now()))
      const update = ({ paused }: ProviderRecord): void => {
        setText(button, paused ? 'Resume' : 'Pause')
        button.setAttribute('aria-label', `${paused ? 'Resume' : 'Pause'} ${name}`)
      }
      return { nodes: [button], update }
    },
  })
  const ticker = startTicker({
    ...{ everyMs: EVERY_MS, tellTrouble },
    async tick(signal) {
      const { data, silent } = await api.get<Listed>('/providers', signal)
      await table.show(data)
      const missing = silent.length === 0 ? '' : ` Event loop ${silent.join(', ')} did not answer.`
      setText(summary, `${figuresWords(data)}${missing}`)
    },
  })
  const top = element('div', { class: 'top' }, element('h1', {}, 'Providers'), summary)
  return { root: element('div', { class: 'screen' }, top, notice.root, table.root), close: () => ticker.stop() }
}

function figuresWords([first]: readonly ProviderRecord[]): string {
  return first === undefined
    ? 'No provider is configured.'
    : `Figures of the last ${Math.round(first.windowMs / MIN_MS)} min.`
}

async function change({ api }: ScreenGround, { name, paused }: ProviderRecord, notice: Notice): Promise<void> {
  const action = paused ? 'resume' : 'pause'
  const isMeant =
    paused ||
    (await confirmChange({
      title: `Pause ${name}?`,
      text: 'It gets no more requests until it is resumed or the gateway restarts. What runs there goes on. Requests go to other targets of their model, or get 503.',
      yes: 'Pause the provider',
    }))
  if (!isMeant) return
  await notice.attempt(
    () => api.change('POST', `/providers/${encodeURIComponent(name)}/${action}`, { body: {} }),
    `${name} is ${paused ? 'resumed' : 'paused'}.`,
  )
}
