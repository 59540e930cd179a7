// The playground: a prompt, a model or two side by side, the answers as they stream, and the request as code. The try-it page is this
// alone.
import { choice, element, field, fill, setText } from '../dom.js'
import { AnswerView } from './answer-view.js'
import { type ChatApi, readTools } from './chat-api.js'
import { readChat } from './chat-stream.js'
import { COPY_LANGUAGES, type CopyLanguage, codeOf } from './copy-as.js'

export type PlaygroundOptions = {
  /** Names of models. One whose answer can be seen to stream is chosen, or else the first. */
  readonly models: readonly string[]
  /** The APIs that are offered, the first of which is chosen. */
  readonly apis: readonly [ChatApi, ...ChatApi[]]
  /** Posts to a path of the client APIs, which has no slash before it. */
  readonly send: (path: string, body: object, signal: AbortSignal) => Promise<Response>
  /** Where clients find these paths, for the code. */
  readonly origin: string
  readonly needsKey: boolean
  /** What an answer has cost, by its request id, once it has ended; absent where that is not known. Then there is also but one model. */
  readonly costOf?: (requestId: string) => Promise<string>
  /** Where all that is on record of a request is shown; absent where it is not. */
  readonly recordHref?: (requestId: string) => string
}

export type Playground = {
  readonly root: HTMLElement
  /** To what sends the prompt, which is there already. */
  focus(): void
  /** Stops what runs. */
  close(): void
}

const FIRST_PROMPT = 'Tell me about rivers.'
const NO_MODEL = ''

/** Builds it. */
export function createPlayground(options: PlaygroundOptions): Playground {
  const { models, apis, origin, needsKey, costOf, recordHref } = options
  // Not every model that can be asked for is listed.
  const facts = { isFree: costOf !== undefined, hasCost: costOf !== undefined }
  const lanes = [createLane('model', 'Model', { ...facts, models })]
  if (costOf !== undefined) lanes.push(createLane('beside', 'Beside it', { ...facts, models: [NO_MODEL, ...models] }))
  const api = choice(
    'api',
    apis.map(({ id, name }) => [id, name] as const),
  )
  const tools = element('textarea', { id: 'tools', rows: 4, spellcheck: false })
  const prompt = element('textarea', { id: 'prompt', rows: 4, required: true, spellcheck: false }, FIRST_PROMPT)
  const send = element('button', { type: 'submit', class: 'main', 'aria-keyshortcuts': 'Control+Enter' }, 'Send')
  const stop = element('button', { type: 'button', disabled: true }, 'Stop')
  let running: AbortController | null = null
  const chosenApi = (): ChatApi => apis.find(({ id }) => id === api.value) ?? apis[0]
  const bodyFor = (chosen: ChatApi, model: string): object =>
    chosen.body({ model, prompt: prompt.value, tools: toolsOf(tools) })

  const runLane = async ({ model, view }: Lane, signal: AbortSignal): Promise<void> => {
    const asked = chosenApi()
    const name = model.value.trim()
    const body = bodyFor(asked, name)
    view.begin()
    let requestId = ''
    const ask = async (): Promise<Response> => {
      const response = await options.send(asked.path(name), body, signal)
      requestId = response.headers.get('x-request-id') ?? ''
      return response
    }
    const onText = (kind: 'answer' | 'thinking', text: string): void => view.add(kind, text)
    const sent = { api: asked, send: ask, nowMs: () => performance.now() }
    view.end(await readChat(sent, { onText, onFacts: (facts) => view.show(facts) }))
    if (requestId === '') return
    if (recordHref !== undefined) view.showRecord(recordHref(requestId))
    if (costOf !== undefined) view.showCost(await costOf(requestId))
  }
  const run = async (): Promise<void> => {
    if (running !== null) return
    running = new AbortController()
    const { signal } = running
    setRunning(true)
    for (const { model, view } of lanes) view.root.hidden = model.value.trim() === NO_MODEL
    await Promise.all(lanes.filter(({ model }) => model.value.trim() !== NO_MODEL).map((lane) => runLane(lane, signal)))
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
  const more = element(
    'details',
    {},
    element('summary', {}, 'Tools'),
    field('Tools as JSON', tools, 'A list in the form of the API. What a model calls is shown, and not run.'),
  )
  // The browser says what is wrong only where it can be seen.
  tools.addEventListener('invalid', () => {
    more.open = true
  })
  const form = element(
    'form',
    { class: 'ask', 'aria-label': 'Request' },
    element('div', { class: 'models' }, field('API', api), ...lanes.map(({ chosen }) => chosen)),
    field('Prompt', prompt),
    more,
    element('div', { class: 'buttons' }, send, stop, element('span', { class: 'hint' }, 'Ctrl+Enter sends.')),
  )
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    void run()
  })
  form.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) form.requestSubmit()
  })
  const code = createCopyAs((language) => {
    const asked = chosenApi()
    const model = lanes[0]?.model.value.trim() ?? ''
    return codeOf(language, {
      url: `${origin}/${asked.path(model)}`,
      body: bodyFor(asked, model),
      needsKey,
      api: asked,
    })
  })
  form.addEventListener('input', code.renew)
  const answers = element('div', { class: 'answers' }, ...lanes.map(({ view }) => view.root))
  const root = element('div', { class: 'playground' }, form, answers, code.root)
  return { root, focus: () => send.focus(), close: () => running?.abort() }
}

/** What is typed there; none while it is no list, which keeps the form from being sent. */
function toolsOf(input: HTMLTextAreaElement): unknown[] {
  try {
    const tools = readTools(input.value)
    input.setCustomValidity('')
    return tools
  } catch (thrown) {
    input.setCustomValidity(`Tools must be a JSON list: ${thrown instanceof Error ? thrown.message : 'unknown'}`)
    return []
  }
}

/** A model and its answer. */
type Lane = {
  readonly model: HTMLSelectElement | HTMLInputElement
  readonly chosen: HTMLElement
  readonly view: AnswerView
}
/** `isFree`: names that are not listed may be written as well. */
type LaneFacts = { readonly models: readonly string[]; readonly isFree: boolean; readonly hasCost: boolean }

function createLane(id: string, label: string, facts: LaneFacts): Lane {
  const { models, isFree } = facts
  const first = models.includes(NO_MODEL) ? NO_MODEL : (models.find(isLong) ?? models[0] ?? NO_MODEL)
  const list = isFree ? element('datalist', { id: `${id}-list` }) : element('select', { id })
  for (const name of models) if (name !== NO_MODEL) list.append(element('option', { value: name }, name))
  if (list instanceof HTMLSelectElement) list.value = first
  const model =
    list instanceof HTMLSelectElement
      ? list
      : element('input', { id, list: list.id, value: first, spellcheck: false, autocomplete: 'off' })
  const view = new AnswerView(label === 'Model' ? 'Answer' : 'Second answer', facts)
  view.root.hidden = id !== 'model'
  const chosen = element('div', { class: 'field' }, element('label', { for: id }, label), model, isFree ? list : null)
  return { model, chosen, view }
}

/** The simulator's other answers to a short prompt are over before they are seen to stream. */
function isLong(model: string): boolean {
  return model === 'sim/lorem'
}

/** The request as code, which is selectable where the clipboard is not available. */
function createCopyAs(codeFor: (language: CopyLanguage) => string) {
  let chosen: CopyLanguage = 'curl'
  const code = element('pre', { tabindex: 0, role: 'region', 'aria-label': 'Code' })
  const said = element('span', { class: 'hint', role: 'status' })
  const buttons = COPY_LANGUAGES.map((language) => {
    const isChosen = String(language === chosen)
    return element('button', { type: 'button', 'aria-pressed': isChosen, click: () => void copy(language) }, language)
  })
  const renew = (): void => {
    setText(code, codeFor(chosen))
    setText(said, '')
  }
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
