// One key: what it may do and how it is changed, rotated, disabled and deleted. A change is made to the version that is shown, so that two
// people who change the same key notice each other.
import { ApiError } from '../api.js'
import { type Child, element, fill } from '../dom.js'
import { clockTime, orNone } from '../format.js'
import { confirmChange } from '../shell/dialogs.js'
import { facts, Notice } from '../shell/parts.js'
import { placeHref } from '../shell/place.js'
import { type OpenScreen, type ScreenGround } from '../shell/screen.js'
import { visibleText } from '../visible-text.js'
import { createKeyForm } from './key-form.js'
import { type KeyRecord, keyState, limitsText } from './key-record.js'
import { showSecret } from './secret-dialog.js'

const DAY_MS = 86_400_000

/** Shows it until it is closed. */
export function openKey(ground: ScreenGround, name: string): OpenScreen {
  const page = new KeyPage(ground, name)
  void page.load()
  return { root: page.root, close: () => page.close() }
}

class KeyPage {
  readonly root: HTMLElement
  readonly #ground: ScreenGround
  readonly #name: string
  readonly #content = element(
    'div',
    { class: 'screen' },
    element('p', { class: 'hint', role: 'status' }, 'Loading ...'),
  )
  readonly #notice = new Notice()
  readonly #ended = new AbortController()
  #etag = ''

  constructor(ground: ScreenGround, name: string) {
    this.#ground = ground
    this.#name = name
    const back = element('a', { href: placeHref('keys') }, 'All keys')
    const requests = element('a', { href: placeHref('requests', '', { key: name }) }, 'Its last requests')
    const top = element('div', { class: 'top' }, element('h1', {}, visibleText(name)), back, requests)
    this.root = element('div', { class: 'screen' }, top, this.#notice.root, this.#content)
  }

  async load(): Promise<void> {
    try {
      const answer = await this.#ground.api.open('GET', this.#path, { signal: this.#ended.signal })
      this.#etag = answer.headers.get('etag') ?? ''
      this.#show((await answer.json()) as KeyRecord)
    } catch (thrown) {
      if (this.#ended.signal.aborted) return
      if (!(thrown instanceof ApiError)) throw thrown
      fill(this.#content, element('p', { class: 'state', 'data-state': 'failed', role: 'alert' }, thrown.message))
    }
  }

  close(): void {
    this.#ended.abort()
  }

  get #path(): string {
    return `/keys/${encodeURIComponent(this.#name)}`
  }

  #show(key: KeyRecord): void {
    const now = new Date()
    const secrets = key.secrets.map(({ hint, validUntil }) =>
      validUntil === null ? `...${hint}` : `...${hint} until ${clockTime(validUntil, now)}`,
    )
    const shown = facts([
      ['State', keyState(key, now.getTime())],
      ['Team', orNone(key.team)],
      ['Models', key.models.join(', ')],
      ['Limits', limitsText(key.limits)],
      ['Tags', orNone(key.tags.join(', '))],
      ['Secrets', orNone(secrets.join('; '))],
      ['Created', clockTime(key.createdAt, now)],
      ['Rotated', clockTime(key.rotatedAt, now)],
      ['Expires', clockTime(key.expiresAt, now)],
      ['Last used', clockTime(key.lastUsedAt, now)],
    ])
    fill(this.#content, shown, ...this.#changes(key))
  }

  #changes(key: KeyRecord): Child[] {
    if (key.source === 'file')
      return [element('p', { class: 'hint' }, 'It is a key of the configuration file, and is changed there.')]
    if (this.#ground.who.role !== 'write') return []
    const button = (label: string, act: () => Promise<void>, kind = ''): HTMLElement =>
      element('button', { type: 'button', class: kind, click: () => void act() }, label)
    const form = createKeyForm(key, 'Save', () => void this.#change(form.body(), 'Saved.'))
    return [
      element(
        'div',
        { class: 'buttons' },
        button(key.disabled ? 'Enable' : 'Disable', () => this.#toggle(key)),
        button('Rotate', () => this.#rotate()),
        button('Delete', () => this.#delete(), 'bad'),
      ),
      element('h2', {}, 'Change it'),
      form.root,
    ]
  }

  async #change(body: object, done: string): Promise<void> {
    const change = () => this.#ground.api.change('PATCH', this.#path, { body, ifMatch: this.#etag })
    await this.#notice.attempt(change, done)
    await this.load()
  }

  async #toggle({ disabled }: KeyRecord): Promise<void> {
    const question = {
      title: `Disable ${this.#name}?`,
      text: 'Its requests are refused from now on, until it is enabled again.',
      yes: 'Disable the key',
    }
    if (!disabled && !(await confirmChange(question))) return
    await this.#change({ disabled: !disabled }, `${this.#name} is ${disabled ? 'enabled' : 'disabled'}.`)
  }

  async #rotate(): Promise<void> {
    const question = {
      title: `Rotate ${this.#name}?`,
      text: 'It gets a new secret. The one before stays valid for a day; streams and sockets go on.',
      yes: 'Rotate the key',
    }
    if (!(await confirmChange(question))) return
    let secret = ''
    const rotate = async (): Promise<void> => {
      const asked = { body: { overlapMs: DAY_MS }, ifMatch: this.#etag }
      ;({ secret } = await this.#ground.api.change<{ secret: string }>('POST', `${this.#path}/rotate`, asked))
    }
    if (await this.#notice.attempt(rotate, `${this.#name} has a new secret.`)) await showSecret(this.#name, secret)
    await this.load()
  }

  async #delete(): Promise<void> {
    const question = {
      title: `Delete ${this.#name}?`,
      text: 'It cannot be undone. A new key of this name inherits nothing.',
      yes: 'Delete the key',
    }
    if (!(await confirmChange(question))) return
    const remove = () => this.#ground.api.change('DELETE', this.#path, { ifMatch: this.#etag })
    if (await this.#notice.attempt(remove, '')) location.hash = placeHref('keys')
  }
}
