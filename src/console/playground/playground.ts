// The playground: a prompt, a model, the answer as it streams, and the request as code. The try-it page is this alone.
import { element, fill, setText } from '../dom.js'
import { AnswerView } from './answer-view.js'
import { chatBody, readChat } from './chat-stream.js'
import { COPY_LANGUAGES, type CopyLanguage, codeOf } from './copy-as.js'

export type PlaygroundOptions = {
  /** Names of models, the first of which is chosen. */
  readonly models: readonly string[]
  readonly send: (body: object, signal: AbortSignal) => Promise<Response>
  /** Where clients post the same, for the code. */
  readonly url: string
  readonly needsKey: boolean
}

const FIRST_PROMPT = 'Tell me about rivers.'

/** Builds it. */
export function createPlayground(options: PlaygroundOptions): HTMLElement {
  const { models, url, needsKey } = options
  const model = element('select', { id: 'model', required: true })
  for (const name of models) model.append(element('option', { value: name }, name))
  const prompt = element('textarea', { id: 'prompt', rows: 4, required: true, spellcheck: false }, FIRST_PROMPT)
  const send = element('button', { type: 'submit', class: 'main', 'aria-keyshortcuts': 'Control+Enter' }, 'Send')
  const stop = element('button', { type: 'button', disabled: true }, 'Stop')
  const view = new AnswerView('Answer')
  let running: AbortController | null = null

  const run = async (): Promise<void> => {
    if (running !== null) return
    running = new AbortController()
    const { signal } = running
    setRunning(true)
    view.begin()
    const body = chatBody(model.value, prompt.value)
    const events = {
      onText: (kind: 'answer' | 'thinking', text: string) => view.add(kind, text),
      onFacts: view.show.bind(view),
    }
    view.end(
      await readChat(
        () => options.send(body, signal),
        events,
        () => performance.now(),
      ),
    )
    running = null
    setRunning(false)
  }
  const setRunning = (isRunning: boolean): void => {
    send.disabled = isRunning
    stop.disabled = !isRunning
    // The button that had the focus is disabled now.
    if (document.activeElement === document.body) (isRunning ? stop : send).focus()
  }
  stop.addEventListener('click', () => running?.abort())
  const form = element(
    'form',
    { class: 'ask', 'aria-label': 'Request' },
    element('div', { class: 'field' }, element('label', { for: 'model' }, 'Model'), model),
    element('div', { class: 'field' }, element('label', { for: 'prompt' }, 'Prompt'), prompt),
    element('div', { class: 'buttons' }, send, stop, element('span', { class: 'hint' }, 'Ctrl+Enter sends.')),
  )
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    void run()
  })
  form.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) form.requestSubmit()
  })
  const code = createCopyAs((language) =>
    codeOf(language, { url, body: chatBody(model.value, prompt.value), needsKey }),
  )
  form.addEventListener('input', code.renew)
  return element('div', { class: 'playground' }, form, view.root, code.root)
}

/** The request as code, which is selectable where the clipboard is not available. */
function createCopyAs(codeFor: (language: CopyLanguage) => string) {
  let chosen: CopyLanguage = 'curl'
  const code = element('pre', { tabindex: 0, role: 'region', 'aria-label': 'Code' })
  const said = element('span', { class: 'hint', role: 'status' })
  const buttons = COPY_LANGUAGES.map((language) =>
    element(
      'button',
      { type: 'button', 'aria-pressed': String(language === chosen), click: () => void copy(language) },
      language,
    ),
  )
  const renew = (): void => setText(code, codeFor(chosen))
  const copy = async (language: CopyLanguage): Promise<void> => {
    chosen = language
    for (const button of buttons) button.setAttribute('aria-pressed', String(button.textContent === language))
    renew()
    const isCopied = await navigator.clipboard.writeText(code.textContent ?? '').then(
      () => true,
      () => false,
    )
    setText(said, isCopied ? `Copied as ${language}.` : 'The browser does not allow copying; select the code.')
  }
  renew()
  const root = element('section', { class: 'copy-as' })
  fill(root, element('div', { class: 'buttons' }, element('h2', {}, 'Copy as'), ...buttons, said), code)
  return { root, renew }
}
