// Parts that several screens have: facts, a button that copies, a change that may be refused.
import { ApiError } from '../api.js'
import { type Child, element, setText } from '../dom.js'
import { visibleText } from '../visible-text.js'

/** Names and values, one below the other. */
export function facts(rows: readonly (readonly [name: string, value: Child])[]): HTMLElement {
  const list = element('dl', { class: 'facts' })
  for (const [name, value] of rows) {
    const shown = typeof value === 'string' ? visibleText(value) : value
    list.append(element('dt', {}, name), element('dd', {}, shown))
  }
  return list
}

/** A button that does something that takes a while. */
export function actionButton(label: string, act: () => Promise<void>, kind = ''): HTMLElement {
  return element('button', { type: 'button', class: kind, click: () => void act() }, label)
}

/** A button that copies a text and says so. */
export function copyButton(label: string, textOf: () => string): HTMLElement {
  const button = element('button', { type: 'button' }, label)
  button.addEventListener('click', () => {
    navigator.clipboard.writeText(textOf()).then(
      () => setText(button, 'Copied'),
      () => setText(button, 'The browser does not allow copying'),
    )
    setTimeout(() => setText(button, label), SHOWN_MS)
  })
  return button
}

const SHOWN_MS = 1500

/** A GET of the admin API as a command for a shell. */
export function curlOf(path: string): string {
  return `curl -H "authorization: Bearer $ADMIN_KEY" '${location.origin}/admin/v1${path.replaceAll("'", '%27')}'`
}

/** The line in which a screen says what became of a change. */
export class Notice {
  readonly root = element('p', { class: 'state', role: 'status' })

  say(text: string): void {
    this.root.dataset.state = ''
    setText(this.root, visibleText(text))
  }

  /** Does it, and says `done` or why it was refused. False if it was refused. */
  async attempt(change: () => Promise<unknown>, done: string): Promise<boolean> {
    try {
      await change()
      this.say(done)
      return true
    } catch (thrown) {
      if (!(thrown instanceof ApiError)) throw thrown
      this.root.dataset.state = 'failed'
      setText(this.root, visibleText(thrown.message))
      return false
    }
  }
}
