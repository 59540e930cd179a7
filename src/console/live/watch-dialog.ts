// Watches one open request: what its client gets, as it gets it. Nothing of the request depends on it.
import { type AdminApi, ApiError } from '../api.js'
import { element, setText } from '../dom.js'
import { readEvents } from '../event-stream.js'
import { orNone } from '../format.js'
import { openDialog } from '../shell/dialogs.js'
import { visibleText } from '../visible-text.js'
import { type StreamEntry } from './stream-entry.js'

/** What a reader may scroll back to; the beginning is dropped. */
const MAX_CHARS = 200_000

/** Opens the dialog; closing it ends the watch. */
export function openWatch(api: AdminApi, { id, requestId, key, model }: StreamEntry): void {
  const text = element('pre', { tabindex: 0, role: 'region', 'aria-label': 'Frames' })
  const state = element('p', { class: 'state', role: 'status' }, 'Opening ...')
  const close = element('button', { type: 'button', click: () => dialog.close() }, 'Close')
  const about = element('p', { class: 'hint' }, visibleText(`Key ${orNone(key)}, model ${orNone(model)}`))
  const buttons = element('div', { class: 'buttons' }, close)
  const dialog = openDialog(`Watching ${requestId}`, [about, state, text, buttons], 'wide')
  const ended = new AbortController()
  dialog.addEventListener('close', () => ended.abort())
  let pending = ''
  const draw = (): void => {
    if (pending === '') return
    const isAtEnd = text.scrollTop + text.clientHeight >= text.scrollHeight - 4
    text.append(pending)
    pending = ''
    if ((text.textContent ?? '').length > MAX_CHARS) setText(text, (text.textContent ?? '').slice(-MAX_CHARS))
    if (isAtEnd) text.scrollTop = text.scrollHeight
  }
  const add = (more: string): void => {
    if (pending === '') requestAnimationFrame(draw)
    pending += more
  }
  watch(api, id, ended.signal, { add, say: (said) => setText(state, said) }).catch((thrown: unknown) => {
    if (ended.signal.aborted) return
    const reason = thrown instanceof ApiError ? thrown.message : 'The connection was lost.'
    state.dataset.state = 'failed'
    setText(state, reason)
  })
}

type Shown = { readonly add: (text: string) => void; readonly say: (text: string) => void }

async function watch(api: AdminApi, id: string, signal: AbortSignal, { add, say }: Shown): Promise<void> {
  const answer = await api.open('GET', `/streams/${encodeURIComponent(id)}/watch`, { signal })
  for await (const { event, data } of readEvents(answer)) {
    const seen = JSON.parse(data) as Record<string, unknown>
    if (event === 'stream') say('Watching. The client is not held up.')
    else if (event === 'frames') add('text' in seen ? visibleText(String(seen.text)) : `[${seen.bytes} bytes]\n`)
    else if (event === 'end') {
      say(`Ended: ${seen.outcome}, status ${seen.status}.`)
      return
    } else if (event === 'cut') {
      say(String(seen.reason))
      return
    }
  }
  say('The connection was lost.')
}
