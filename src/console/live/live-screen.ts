// Live: every open request, and how it does. It ticks by itself; each can be watched, and cancelled by those who may.
import { ApiError, withQuery } from '../api.js'
import { element, setText } from '../dom.js'
import { orNone } from '../format.js'
import { confirmChange } from '../shell/dialogs.js'
import { placeHref } from '../shell/place.js'
import { type OpenScreen, type Screen, type ScreenGround } from '../shell/screen.js'
import { startTicker } from '../shell/ticker.js'
import { visibleText } from '../visible-text.js'
import { Rows, type RowView } from './rows.js'
import { COLUMNS, matches, type StreamEntry, summaryOf } from './stream-entry.js'
import { openWatch } from './watch-dialog.js'

type Listed = { readonly data: readonly StreamEntry[]; readonly total: number; readonly silent: readonly number[] }

const EVERY_MS = 1000
const MOST_SHOWN = 1000

export const LIVE_SCREEN: Screen = {
  name: 'live',
  title: 'Live',
  open: openLive,
}

/** Shows the list until it is closed. */
function openLive(ground: ScreenGround, { query }: { readonly query: URLSearchParams }): OpenScreen {
  const { api, tellTrouble } = ground
  const summary = element('p', { class: 'hint', role: 'status' }, 'Loading ...')
  const find = element('input', { id: 'find', type: 'search', spellcheck: false, value: query.get('find') ?? '' })
  const head = element('div', { class: 'row head', role: 'row' })
  for (const { name, isNumber } of COLUMNS) {
    head.append(element('span', { role: 'columnheader', class: isNumber ? 'number' : '' }, name))
  }
  head.append(element('span', { role: 'columnheader' }, 'Request'), element('span', { role: 'columnheader' }, ''))
  const body = element('div', { role: 'rowgroup', class: 'rows' })
  const list = element('div', { role: 'table', 'aria-label': 'Open requests', class: 'list live' }, head, body)
  const state = element('p', { class: 'state', role: 'status' })
  const rows = new Rows<StreamEntry>({
    ...{ parent: body, idOf: ({ id }) => id, breathe, nowMs: () => performance.now() },
    create: (entry) => createRow(entry, ground, (said) => setText(state, said)),
  })
  const ticker = startTicker({
    ...{ everyMs: EVERY_MS, tellTrouble },
    async tick(signal) {
      const { data, total, silent } = await api.get<Listed>(withQuery('/streams', { limit: MOST_SHOWN }), signal)
      const wanted = find.value.trim()
      const shown = wanted === '' ? data : data.filter((entry) => matches(entry, wanted))
      await rows.show(shown)
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
  return { root: element('div', { class: 'screen' }, top, state, list), close: () => ticker.stop() }
}

function createRow(first: StreamEntry, ground: ScreenGround, say: (text: string) => void): RowView<StreamEntry> {
  const { api, who } = ground
  let entry = first
  const cells = COLUMNS.map(({ name, isNumber }) =>
    element('span', { role: 'cell', class: isNumber ? 'number' : '', 'data-label': name }),
  )
  const request = element('span', { role: 'cell', class: 'id', 'data-label': 'Request' }, visibleText(first.requestId))
  const watch = element('button', { type: 'button', click: () => openWatch(api, entry) }, 'Watch')
  const cancel = element('button', { type: 'button', class: 'bad', click: () => void cancelStream(ground, entry, say) })
  cancel.append('Cancel')
  for (const button of [watch, cancel]) {
    button.setAttribute('aria-label', `${button.textContent} ${visibleText(first.requestId)}`)
  }
  const actions = element('span', { role: 'cell', class: 'buttons' }, watch, who.role === 'write' ? cancel : null)
  const root = element('div', { role: 'row', class: 'row' }, ...cells, request, actions)
  return {
    root,
    update(next) {
      entry = next
      if (root.dataset.state !== next.state) root.dataset.state = next.state
      for (const [index, { textOf }] of COLUMNS.entries()) {
        const cell = cells[index]
        if (cell !== undefined) setText(cell, visibleText(textOf(next)))
      }
    },
  }
}

async function cancelStream({ api }: ScreenGround, entry: StreamEntry, say: (text: string) => void): Promise<void> {
  const { id, requestId, key, model } = entry
  const isMeant = await confirmChange({
    title: `Cancel ${requestId}?`,
    text: `Its provider is cut off, and its client, with the key ${orNone(key)} and the model ${orNone(model)}, gets an error.`,
    yes: 'Cancel the request',
  })
  if (!isMeant) return
  try {
    await api.change('DELETE', `/streams/${encodeURIComponent(id)}`)
    say(`${requestId} is cancelled.`)
  } catch (thrown) {
    if (!(thrown instanceof ApiError)) throw thrown
    say(thrown.message)
  }
}

/** After the next frame of the screen. */
function breathe(): Promise<void> {
  return new Promise((resolve) => {
    if (document.hidden) setTimeout(resolve)
    else requestAnimationFrame(() => setTimeout(resolve))
  })
}
