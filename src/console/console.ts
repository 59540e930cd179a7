// The console on the admin listener: the page of whoever is on call. It uses the admin API alone, so that a script can have whatever it
// shows.
import { AdminApi, ApiError, type Who } from './api.js'
import { BUDGETS_SCREEN } from './budgets/budgets-screen.js'
import { byId, element, fill } from './dom.js'
import { CONFIG_SCREEN } from './gateway/config-screen.js'
import { PROVIDERS_SCREEN } from './gateway/providers-screen.js'
import { KEYS_SCREEN } from './keys/keys-screen.js'
import { LIVE_SCREEN } from './live/live-screen.js'
import { REQUESTS_SCREEN } from './requests/requests-screen.js'
import { createLogin } from './shell/login.js'
import { type Screen } from './shell/screen.js'
import { openShell } from './shell/shell.js'
import { SPEND_SCREEN } from './spend/spend-screen.js'
import { TRY_SCREEN } from './trial/trial-screen.js'

const SCREENS: readonly Screen[] = [
  LIVE_SCREEN,
  REQUESTS_SCREEN,
  PROVIDERS_SCREEN,
  KEYS_SCREEN,
  BUDGETS_SCREEN,
  SPEND_SCREEN,
  CONFIG_SCREEN,
  TRY_SCREEN,
]

const page = byId('page')
// Bound, as a browser's own is called without an object.
const api = new AdminApi(localStorage, fetch.bind(globalThis))

function showLogin(): void {
  fill(page, createLogin(api, showShell))
  document.title = 'Log in – Sluice'
  byId('key').focus()
}

function showShell(who: Who): void {
  const close = openShell(page, api, who, SCREENS)
  api.onLoggedOut = () => {
    api.onLoggedOut = () => {}
    close()
    showLogin()
  }
}

async function open(): Promise<void> {
  try {
    const who = await api.who()
    if (who === null) showLogin()
    else showShell(who)
  } catch (thrown) {
    const reason = thrown instanceof ApiError ? thrown.message : 'The console failed to start.'
    fill(page, element('p', { class: 'state', 'data-state': 'failed', role: 'alert' }, reason))
  }
}

void open()
