// The body of a request, where it is kept: as code to paste, and sent again by whoever may. Looking at it and sending it are in the audit.

import { type AdminApi, ApiError } from '../api.js'
import { element, fill } from '../dom.js'
import { AnswerView } from '../playground/answer-view.js'
import { type ChatApi, type RequestBody } from '../playground/chat-api.js'
import { type ChatFacts, readChat } from '../playground/chat-stream.js'
import { clientDoor } from '../playground/client-door.js'
import { postAsCurl } from '../playground/copy-as.js'
import { confirmChange } from '../shell/dialogs.js'
import { actionButton, copyButton } from '../shell/parts.js'
import { placeHref } from '../shell/place.js'
import { visibleText } from '../visible-text.js'

type Kept = { readonly path: string; readonly key: string | null; readonly body: string }

/** `signal` is aborted when the page is left. */
export type ReplayOptions = {
  readonly api: AdminApi
  readonly id: string
  readonly signal: AbortSignal
}

/** Its buttons, and what they bring. */
export function createReplay(options: ReplayOptions): HTMLElement {
  const { api, id, signal } = options
  const path = `/requests/${encodeURIComponent(id)}`
  const shown = element('div', { class: 'screen' })
  const fail = (thrown: unknown): void => {
    if (signal.aborted) return
    if (!(thrown instanceof ApiError)) throw thrown
    const said = visibleText(thrown.message)
    fill(shown, element('p', { class: 'state', 'data-state': 'failed', role: 'alert' }, said))
  }
  const show = async (): Promise<void> => {
    const [kept, { origin }] = await Promise.all([api.get<Kept>(`${path}/body`, signal), clientDoor(api, signal)])
    const request = { url: `${origin}${kept.path}`, text: kept.body, needsKey: kept.key !== null }
    fill(
      shown,
      element('pre', { tabindex: 0, role: 'region', 'aria-label': 'Body' }, visibleText(kept.body)),
      element(
        'div',
        { class: 'buttons' },
        copyButton('Copy the request as curl', () => postAsCurl(request)),
      ),
    )
  }
  const replay = async (): Promise<void> => {
    const question = {
      title: `Send ${id} again?`,
      text: 'It is a new request of its key, which is charged for it, and a model may answer differently.',
      yes: 'Send it again',
    }
    if (!(await confirmChange(question))) return
    const [kept, { apis }] = await Promise.all([api.get<Kept>(`${path}/body`, signal), clientDoor(api, signal)])
    const spoken = apis.find((each) => each.streams(kept.path, parseBody(kept.body)))
    await showAnswer(shown, spoken ?? null, () => api.pass('POST', `${path}/replay`, { signal }))
  }
  return element(
    'section',
    { class: 'screen' },
    element('h2', {}, 'Its body'),
    element(
      'div',
      { class: 'buttons' },
      actionButton('Show the body', () => show().catch(fail)),
      actionButton('Replay', () => replay().catch(fail)),
    ),
    shown,
  )
}

/** A stream of an API that the playground knows as it comes; any other answer as it is, once it is whole. */
async function showAnswer(shown: HTMLElement, api: ChatApi | null, send: () => Promise<Response>): Promise<void> {
  if (api === null) {
    const answer = await send()
    const text = element('pre', { tabindex: 0, role: 'region', 'aria-label': 'Answer' })
    fill(shown, element('p', { class: 'state', role: 'status' }, `Status ${answer.status}.`), text)
    text.append(visibleText(await answer.text()))
    return
  }
  const view = new AnswerView('Answer', { hasCost: false })
  fill(shown, view.root)
  view.begin()
  const events = {
    onText: (kind: 'answer' | 'thinking', text: string) => view.add(kind, text),
    onFacts: (facts: ChatFacts) => view.show(facts),
  }
  let id = ''
  const sendNoted = async (): Promise<Response> => {
    const answer = await send()
    id = answer.headers.get('x-request-id') ?? ''
    return answer
  }
  view.end(await readChat({ api, send: sendNoted, nowMs: () => performance.now() }, events))
  if (id !== '') view.showRecord(placeHref('requests', id))
}

function parseBody(text: string): RequestBody {
  try {
    return (JSON.parse(text) as RequestBody | null) ?? {}
  } catch {
    return {}
  }
}
