// Dialogs: a question before something that cannot be undone. The browser keeps the focus within, and Escape says no.
import { element } from '../dom.js'
import { visibleText } from '../visible-text.js'

export type Question = {
  readonly title: string
  readonly text: string
  /** The words of the button that says yes. */
  readonly yes: string
}

/** Resolves with whether it was confirmed. The focus is on the button that changes nothing. */
export function confirmChange({ title, text, yes }: Question): Promise<boolean> {
  return new Promise((resolve) => {
    const no = element('button', { type: 'button', autofocus: true, click: () => dialog.close() }, 'Keep it as it is')
    const go = element('button', { type: 'button', class: 'bad', click: () => dialog.close('yes') }, yes)
    const dialog = openDialog(title, [
      element('p', {}, visibleText(text)),
      element('div', { class: 'buttons' }, no, go),
    ])
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'))
  })
}

/** Shows a dialog with this title; it leaves the page when it is closed. */
export function openDialog(title: string, children: readonly Node[], className = ''): HTMLDialogElement {
  const heading = element('h2', { id: 'dialog-title' }, visibleText(title))
  const dialog = element('dialog', { 'aria-labelledby': 'dialog-title', class: className }, heading, ...children)
  dialog.addEventListener('close', () => dialog.remove())
  document.body.append(dialog)
  dialog.showModal()
  return dialog
}
