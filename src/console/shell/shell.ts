// The frame around the screens: where one is, who is logged in, whether the gateway answers. The address says what is shown, so that it
// can be sent to a colleague.
import { type AdminApi, type Who } from '../api.js'
import { element, fill, setText } from '../dom.js'
import { placeHref, readPlace } from './place.js'
import { type OpenScreen, type Screen } from './screen.js'

/** Puts the shell into the page; returns how to take it away. */
export function openShell(page: HTMLElement, api: AdminApi, who: Who, screens: readonly Screen[]): () => void {
  const trouble = element('p', { class: 'trouble', role: 'alert', hidden: true })
  const main = element('main', { id: 'main', tabindex: -1 })
  const links = screens.map(({ name, title }) => element('a', { href: placeHref(name) }, title))
  const logOut = element('button', { type: 'button', click: () => void api.logOut() }, 'Log out')
  fill(
    page,
    element('a', { class: 'skip', href: '#main', click: (event) => skip(event, main) }, 'Skip to the content'),
    element(
      'header',
      { class: 'bar' },
      element('span', { class: 'brand' }, 'Sluice'),
      element('nav', { 'aria-label': 'Screens' }, ...links),
      element('span', { class: 'who' }, element('span', { class: 'hint' }, `${who.name} (${who.role})`), logOut),
    ),
    trouble,
    main,
  )
  const tellTrouble = (said: string | null): void => {
    trouble.hidden = said === null
    if (said !== null) setText(trouble, `${said} What is shown is of ${new Date().toLocaleTimeString()} or earlier.`)
  }
  let shown: (OpenScreen & { readonly name: string }) | null = null
  const show = (): void => {
    const place = readPlace(location.hash)
    const screen = screens.find(({ name }) => name === place.screen) ?? screens[0]
    if (screen === undefined) return
    const isAnother = shown !== null && shown.name !== screen.name
    shown?.close()
    trouble.hidden = true
    shown = { ...screen.open({ api, who, tellTrouble }, place), name: screen.name }
    fill(main, shown.root)
    document.title = `${screen.title} – Sluice`
    for (const [index, link] of links.entries()) {
      if (screens[index] === screen) link.setAttribute('aria-current', 'page')
      else link.removeAttribute('aria-current')
    }
    if (isAnother) main.focus()
  }
  addEventListener('hashchange', show)
  show()
  return () => {
    removeEventListener('hashchange', show)
    shown?.close()
    for (const dialog of document.querySelectorAll('dialog')) dialog.close()
  }
}

/** The address is that of a screen, so the link must not change it. */
function skip(event: Event, main: HTMLElement): void {
  event.preventDefault()
  main.focus()
}
