// One key: what it may do and how it is changed, rotated, disabled and deleted.
import { type Child, element } from '../dom.js'
import { clockTime, orNone } from '../format.js'
import { confirmChange } from '../shell/dialogs.js'
import { actionButton, facts } from '../shell/parts.js'
import { placeHref } from '../shell/place.js'
import { RecordPage } from '../shell/record-page.js'
import { type OpenScreen, type ScreenGround } from '../shell/screen.js'
import { createKeyForm } from './key-form.js'
import { type KeyRecord, keyState, limitsText } from './key-record.js'
import { showSecret } from './secret-dialog.js'

const DAY_MS = 86_400_000

/** Shows it until it is closed. */
export function openKey(ground: ScreenGround, name: string): OpenScreen {
  const page: RecordPage<KeyRecord> = new RecordPage<KeyRecord>(ground, {
    path: `/keys/${encodeURIComponent(name)}`,
    title: name,
    links: [
      element('a', { href: placeHref('keys') }, 'All keys'),
      element('a', { href: placeHref('requests', '', { key: name }) }, 'Its last requests'),
      element('a', { href: placeHref('budgets', '', { of: `key:${name}` }) }, 'Its budgets'),
    ],
    show: (key) => [factsOf(key), ...changesOf(page, key)],
  })
  void page.load()
  return { root: page.root, close: () => page.close() }
}

function factsOf(key: KeyRecord): HTMLElement {
  const now = new Date()
  const secrets = key.secrets.map(({ hint, validUntil }) =>
    validUntil === null ? `...${hint}` : `...${hint} until ${clockTime(validUntil, now)}`,
  )
  return facts([
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
}

function changesOf(page: RecordPage<KeyRecord>, key: KeyRecord): Child[] {
  const { name } = key
  if (key.source === 'file')
    return [element('p', { class: 'hint' }, 'It is a key of the configuration file, and is changed there.')]
  if (page.ground.who.role !== 'write') return []
  const form = createKeyForm(key, 'Save', () => void page.change({ method: 'PATCH', body: form.body() }, 'Saved.'))
  const deletion = {
    title: `Delete ${name}?`,
    text: 'It cannot be undone. A new key of this name inherits nothing.',
    yes: 'Delete the key',
  }
  return [
    element(
      'div',
      { class: 'buttons' },
      actionButton(key.disabled ? 'Enable' : 'Disable', () => toggle(page, key)),
      actionButton('Rotate', () => rotate(page, name)),
      actionButton('Delete', () => page.delete(deletion, placeHref('keys')), 'bad'),
    ),
    element('h2', {}, 'Change it'),
    form.root,
  ]
}

async function toggle(page: RecordPage<KeyRecord>, { name, disabled }: KeyRecord): Promise<void> {
  const question = {
    title: `Disable ${name}?`,
    text: 'Its requests are refused from now on, until it is enabled again.',
    yes: 'Disable the key',
  }
  if (!disabled && !(await confirmChange(question))) return
  const change = { method: 'PATCH', body: { disabled: !disabled } } as const
  await page.change(change, `${name} is ${disabled ? 'enabled' : 'disabled'}.`)
}

async function rotate(page: RecordPage<KeyRecord>, name: string): Promise<void> {
  const question = {
    title: `Rotate ${name}?`,
    text: 'It gets a new secret. The one before stays valid for a day; streams and sockets go on.',
    yes: 'Rotate the key',
  }
  if (!(await confirmChange(question))) return
  const change = { method: 'POST', suffix: '/rotate', body: { overlapMs: DAY_MS } } as const
  const rotated = await page.attempt<{ readonly secret: string }>(change, `${name} has a new secret.`)
  if (rotated !== null) await showSecret(name, rotated.answer.secret)
  await page.load()
}
