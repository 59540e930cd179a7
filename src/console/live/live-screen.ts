// Live: every open request, and how it does. It ticks by itself; each can be watched, and cancelled by those who may.
import { withQuery } from '../api.js'
import { element, setText } from '../dom.js'
import { orNone } from '../format.js'
import { confirmChange } from '../shell/dialogs.js'
import { Notice } from '../shell/parts.js'
import { type Place, placeHref } from '../shell/place.js'
import { type OpenScreen, type Screen, type ScreenGround } from '../shell/screen.js'
import { createTable } from '../shell/table.js'
import { startTicker } from '../shell/ticker.js'
import { visibleText } from '../visible-text.js'
import { COLUMNS, matches, type StreamEntry, summaryOf } from './stream-entry.js'
import { openTrouble } from './trouble-view.js'
import { openWatch } from './watch-dialog.js'

type Listed = { readonly data: readonly StreamEntry[]; readonly total: number; readonly silent: readonly number[] }

const EVERY_MS = 1000
const MOST_SHOWN = 1000

export const LIVE_SCREEN: Screen = { name: 'live', title: 'Live', open: openLive }

/** Shows the list until it is closed. */
function openLive(ground: ScreenGround, { query }: Place): OpenScreen {
  const { api, who, tellTrouble } = ground
  const summary = element('p', { class: 'hint', role: 'status' }, 'Loading ...')
  const find = element('input', { id: 'find', type: 'search', spellcheck: false, value: query.get('find') ?? '' })
  const notice = new Notice()
  const table = createTable<StreamEntry>({
    ...{ label: 'Open requests', className: 'live', columns: COLUMNS, idOf: ({ id }) => id },
    stateOf: ({ state }) => state,
    createActions({ requestId }, current) {
      const name = visibleText(requestId)
      const watch = element('button', { type: 'button', click: () => openWatch(api, current()) }, 'Watch')
      const cancel = element('button', { type: 'button', class: 'bad' }, 'Cancel')
      cancel.addEventListener('click', () => void cancelStream(ground, current(), notice))
      watch.setAttribute('aria-label', `Watch ${name}`)
      cancel.setAttribute('aria-label', `Cancel ${name}`)
      return { nodes: [watch, who.role === 'write' ? cancel : null] }
    },
  })
  const ticker = startTicker({
    ...{ everyMs: EVERY_MS, tellTrouble },
    async tick(signal) {
      const { data, total, silent } = await api.get<Listed>(withQuery('/streams', { limit: MOST_SHOWN }), signal)
      const wanted = find.value.trim()
      const shown = wanted === '' ? data : data.filter((entry) => matches(entry, wanted))
      await table.show(shown)
      const missing = silent.length === 0 ? '' : ` Event loop ${silent.join(', ')} did not answer.`
      setText(summary, `${summaryOf(shown, wanted === '' ? total : shown.length)}${missing}`)
    },
  })
  find.addEventListener('input', () => {
    history.replaceState(null, '', placeHref('live', '', { find: find.value.trim() }))
    ticker.now()
  })
  const top = element(
    'div',
    { class: 'top' },
    element('h1', {}, 'Live'),
    element('div', { class: 'field inline' }, element('label', { for: 'find' }, 'Find'), find),
    summary,
  )
  const trouble = openTrouble(api)
  return {
    root: element('div', { class: 'screen' }, trouble.root, top, notice.root, table.root),
    close() {
      ticker.stop()
      trouble.close()
    },
  }
}

async function cancelStream({ api }: ScreenGround, entry: StreamEntry, notice: Notice): Promise<void> {
  const { id, requestId, key, model } = entry
  const isMeant = await confirmChange({
    title: `Cancel ${requestId}?`,
    text: `Its provider is cut off, and its client, with the key ${orNone(key)} and the model ${orNone(model)}, gets an error.`,
    yes: 'Cancel the request',
  })
  if (!isMeant) return
  await notice.attempt(() => api.change('DELETE', `/streams/${encodeURIComponent(id)}`), `${requestId} is cancelled.`)
}
