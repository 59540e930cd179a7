// The secret of a key, this once: neither the page nor the gateway has it afterwards.
import { element } from '../dom.js'
import { openDialog } from '../shell/dialogs.js'
import { copyButton } from '../shell/parts.js'

/** Resolves when it is closed, and the secret is out of the page. */
export function showSecret(name: string, secret: string): Promise<void> {
  return new Promise((resolve) => {
    const text = element('pre', { tabindex: 0, role: 'region', 'aria-label': 'Secret', class: 'secret' }, secret)
    const done = element('button', { type: 'button', click: () => dialog.close() }, 'I have stored it')
    const dialog = openDialog(`The secret of ${name}`, [
      element('p', {}, 'It is shown this once. The gateway keeps only its hash.'),
      text,
      element(
        'div',
        { class: 'buttons' },
        copyButton('Copy', () => secret),
        done,
      ),
    ])
    dialog.addEventListener('close', () => {
      text.replaceChildren()
      resolve()
    })
  })
}
