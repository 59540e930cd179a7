// The way in: an admin key, which the page forgets as soon as it is sent.
import { type AdminApi, ApiError, type Who } from '../api.js'
import { element, setText } from '../dom.js'

/** The form; `onLoggedIn` is called once. */
export function createLogin(api: AdminApi, onLoggedIn: (who: Who) => void): HTMLElement {
  const key = element('input', {
    ...{ id: 'key', type: 'password', required: true, autocomplete: 'current-password', spellcheck: false },
    'aria-describedby': 'login-state',
  })
  const state = element('p', { id: 'login-state', class: 'state', 'data-state': 'failed', role: 'alert' })
  const button = element('button', { type: 'submit', class: 'main' }, 'Log in')
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault()
    button.disabled = true
    try {
      const who = await api.logIn(key.value)
      key.value = ''
      onLoggedIn(who)
    } catch (thrown) {
      if (!(thrown instanceof ApiError)) throw thrown
      setText(state, thrown.message)
      key.select()
    } finally {
      button.disabled = false
    }
  }
  return element(
    'main',
    { class: 'login' },
    element('h1', {}, 'Sluice'),
    element(
      'form',
      { submit: (event) => void submit(event) },
      element('div', { class: 'field' }, element('label', { for: 'key' }, 'Admin key'), key),
      element('div', { class: 'buttons' }, button),
      state,
    ),
  )
}
