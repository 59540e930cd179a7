// One record of the admin API on a page of its own. A change is made to the version that is shown, so that two people who change the
// same record notice each other.
import { ApiError } from '../api.js'
import { type Child, element, fill } from '../dom.js'
import { visibleText } from '../visible-text.js'
import { confirmChange, type Question } from './dialogs.js'
import { Notice } from './parts.js'
import { type ScreenGround } from './screen.js'

export type RecordPageOptions<Item> = {
  /** Of the record, in the admin API. */
  readonly path: string
  readonly title: string
  readonly links: readonly Child[]
  /** What the page shows of it; called again after each change. */
  readonly show: (item: Item) => readonly Child[]
}

/** `suffix`: what follows the path of the record. */
export type RecordChange = {
  readonly method: 'POST' | 'PATCH' | 'DELETE'
  readonly suffix?: string
  readonly body?: object
}

export class RecordPage<Item> {
  readonly root: HTMLElement
  readonly ground: ScreenGround
  readonly #options: RecordPageOptions<Item>
  readonly #content = element(
    'div',
    { class: 'screen' },
    element('p', { class: 'hint', role: 'status' }, 'Loading ...'),
  )
  readonly #notice = new Notice()
  readonly #ended = new AbortController()
  #etag = ''

  constructor(ground: ScreenGround, options: RecordPageOptions<Item>) {
    this.ground = ground
    this.#options = options
    const top = element('div', { class: 'top' }, element('h1', {}, visibleText(options.title)), ...options.links)
    this.root = element('div', { class: 'screen' }, top, this.#notice.root, this.#content)
  }

  async load(): Promise<void> {
    const { path, show } = this.#options
    try {
      const answer = await this.ground.api.open('GET', path, { signal: this.#ended.signal })
      this.#etag = answer.headers.get('etag') ?? ''
      fill(this.#content, ...show((await answer.json()) as Item))
    } catch (thrown) {
      if (this.#ended.signal.aborted) return
      if (!(thrown instanceof ApiError)) throw thrown
      fill(this.#content, element('p', { class: 'state', 'data-state': 'failed', role: 'alert' }, thrown.message))
    }
  }

  close(): void {
    this.#ended.abort()
  }

  /** Makes the change, and says `done` or why it was refused; null if it was. */
  async attempt<Answer>({ method, suffix = '', body }: RecordChange, done: string): Promise<{ answer: Answer } | null> {
    const asked = { ...(body === undefined ? {} : { body }), ifMatch: this.#etag }
    let answer = null as Answer
    const send = async (): Promise<void> => {
      answer = await this.ground.api.change<Answer>(method, `${this.#options.path}${suffix}`, asked)
    }
    return (await this.#notice.attempt(send, done)) ? { answer } : null
  }

  /** The same, and shows what the record is then. */
  async change(change: RecordChange, done: string): Promise<void> {
    await this.attempt(change, done)
    await this.load()
  }

  /** Deletes it after a question, and goes to `href`. */
  async delete(question: Question, href: string): Promise<void> {
    if (!(await confirmChange(question))) return
    if ((await this.attempt({ method: 'DELETE' }, '')) !== null) location.hash = href
  }
}
