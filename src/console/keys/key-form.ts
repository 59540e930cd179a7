// The form of a key: its name where it is new, and what it may do. What is typed is sent as it is; the API judges it.
import { element, field } from '../dom.js'
import { type KeyRecord, localTime, readCount, readList, readLocalTime } from './key-record.js'

export type KeyForm = {
  readonly root: HTMLFormElement
  /** Its members as the API takes them. */
  body(): object
}

type Values = Pick<KeyRecord, 'team' | 'models' | 'limits' | 'tags' | 'expiresAt'>

const NEW: Values = {
  ...{ team: null, models: ['*'], tags: [], expiresAt: null },
  limits: { requestsPerMinute: null, tokensPerMinute: null, concurrency: null },
}

/** `key`: null for a new one. `verb`: the words of its button. */
export function createKeyForm(key: KeyRecord | null, verb: string, onSubmit: () => void): KeyForm {
  const { team, models, limits, tags, expiresAt } = key ?? NEW
  const text = (id: string, value: string) => element('input', { id, value, spellcheck: false, autocomplete: 'off' })
  const number = (id: string, value: number | null) =>
    element('input', { id, type: 'number', min: 1, step: 1, value: value ?? '', class: 'number' })
  const name = element('input', { id: 'key-name', required: true, spellcheck: false, autocomplete: 'off' })
  const ofTeam = text('key-team', team ?? '')
  const allowed = text('key-models', models.join(', '))
  const requests = number('key-requests', limits.requestsPerMinute)
  const tokens = number('key-tokens', limits.tokensPerMinute)
  const atOnce = number('key-concurrency', limits.concurrency)
  const tagged = text('key-tags', tags.join(', '))
  const expires = element('input', { id: 'key-expires', type: 'datetime-local', value: localTime(expiresAt) })
  const root = element(
    'form',
    { class: 'form' },
    key === null ? field('Name', name) : null,
    field('Team', ofTeam),
    field('Models', allowed, 'Names, with * for any part.'),
    field('Requests per minute', requests),
    field('Tokens per minute', tokens),
    field('Requests at once', atOnce),
    field('Tags', tagged),
    field('Expires', expires, 'In the time of this browser.'),
    element('div', { class: 'buttons' }, element('button', { type: 'submit', class: 'main' }, verb)),
  )
  root.addEventListener('submit', (event) => {
    event.preventDefault()
    onSubmit()
  })
  return {
    root,
    body() {
      const shared = {
        team: ofTeam.value.trim() === '' ? null : ofTeam.value.trim(),
        models: readList(allowed.value),
        limits: {
          requestsPerMinute: readCount(requests.value),
          tokensPerMinute: readCount(tokens.value),
          concurrency: readCount(atOnce.value),
        },
        tags: readList(tagged.value),
        expiresAt: readLocalTime(expires.value),
      }
      return key === null ? { name: name.value.trim(), ...shared } : shared
    },
  }
}
