// A screen that shows what a filter asks for: the form, the line at the top, and what is below them. The latest question counts, whichever
// is answered first.
import { ApiError } from '../api.js'
import { type Child, element, setText } from '../dom.js'
import { copyButton, curlOf } from './parts.js'
import { type OpenScreen, type ScreenGround } from './screen.js'

export type FilteredScreen<Answer> = {
  readonly title: string
  readonly fields: readonly HTMLElement[]
  readonly buttons?: readonly HTMLElement[]
  readonly below: readonly Child[]
  /** What is asked for now, of the admin API. */
  readonly path: () => string
  /** The same as the address of the page. */
  readonly href: () => string
  /** Shows the answer; resolves with the line at the top. */
  readonly show: (answer: Answer) => Promise<string>
  /** What was shown is not what is asked for. */
  readonly clear?: () => void
}

/** Shows it until it is closed. */
export function openFiltered<Answer>({ api, tellTrouble }: ScreenGround, screen: FilteredScreen<Answer>): OpenScreen {
  const { title, fields, buttons = [], below, path, href, show, clear } = screen
  const ended = new AbortController()
  const summary = element('p', { class: 'hint', role: 'status' }, 'Loading ...')
  let asked = 0
  let showing: Promise<void> = Promise.resolve()
  const load = async (): Promise<void> => {
    asked += 1
    const number = asked
    const isLatest = (): boolean => number === asked && !ended.signal.aborted
    history.replaceState(null, '', href())
    try {
      const answer = await api.get<Answer>(path(), ended.signal)
      showing = showing.then(async () => {
        if (isLatest()) setText(summary, await show(answer))
      })
      await showing
      if (isLatest()) tellTrouble(null)
    } catch (thrown) {
      if (!isLatest()) return
      if (!(thrown instanceof ApiError)) throw thrown
      setText(summary, thrown.message)
      clear?.()
    }
  }
  const form = element(
    'form',
    { class: 'filters', 'aria-label': 'Filter' },
    ...fields,
    element(
      'div',
      { class: 'buttons' },
      element('button', { type: 'submit', class: 'main' }, 'Show'),
      ...buttons,
      copyButton('Copy as curl', () => curlOf(path())),
    ),
  )
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    void load()
  })
  form.addEventListener('change', () => void load())
  void load()
  const top = element('div', { class: 'top' }, element('h1', {}, title), summary)
  return { root: element('div', { class: 'screen' }, top, form, ...below), close: () => ended.abort() }
}
