// What is wrong at present on the page: a line for each provider that is not well and one for the requests that failed, each with where
// to look and what to press. It asks by itself.
import { type AdminApi, withQuery } from '../api.js'
import { type Child, element, fill } from '../dom.js'
import { count } from '../format.js'
import { type ProviderRecord } from '../gateway/provider-record.js'
import { ANY_FAILURE, type RequestEntry } from '../requests/request-entry.js'
import { placeHref } from '../shell/place.js'
import { startTicker } from '../shell/ticker.js'
import { visibleText } from '../visible-text.js'
import { type Failures, type SickProvider, type Tally, type Trouble, troubleOf } from './trouble.js'

const EVERY_MS = 5000
const LIMIT = 200
const MIN_MS = 60_000
/** Without a provider there is no window of theirs. */
const WINDOW_MS = 5 * MIN_MS

/** Shows it until it is closed. */
export function openTrouble(api: AdminApi): { readonly root: HTMLElement; close(): void } {
  const root = element('section', { class: 'trouble-now', 'aria-label': 'Trouble', 'aria-live': 'polite' })
  let shown = ''
  const ticker = startTicker({
    everyMs: EVERY_MS,
    tellTrouble(trouble) {
      if (trouble === null) return
      shown = ''
      fill(root, element('p', { 'data-state': 'unknown' }, visibleText(`What fails is not known: ${trouble}`)))
    },
    async tick(signal) {
      const ended = async (asked: Readonly<Record<string, string>>): Promise<readonly RequestEntry[]> => {
        const path = withQuery('/requests', { ...asked, limit: LIMIT })
        return (await api.get<{ readonly data: readonly RequestEntry[] }>(path, signal)).data
      }
      const [providers, failed, refused] = await Promise.all([
        api.get<{ readonly data: readonly ProviderRecord[] }>('/providers', signal),
        ended({ failed: 'true' }),
        ended({ failed: 'false', outcome: LIMITED }),
      ])
      const windowMs = providers.data[0]?.windowMs ?? WINDOW_MS
      const trouble = troubleOf(providers.data, { failed, refused }, { sinceMs: Date.now() - windowMs, limit: LIMIT })
      const text = JSON.stringify(trouble)
      // What somebody is about to press must not be built anew under the pointer, nor be read out again.
      if (text === shown) return
      shown = text
      fill(root, ...linesOf(trouble, `the last ${Math.round(windowMs / MIN_MS)} min`))
    },
  })
  return { root, close: () => ticker.stop() }
}

function linesOf({ providers, failures, refusals }: Trouble, when: string): Child[] {
  const failed = failures === null ? null : requestsLine(failures, { ...FAILED, when })
  const refused = refusals === null ? null : requestsLine(refusals, { ...REFUSED, when })
  const isWell = providers.length === 0 && failed === null
  return [
    ...providers.map(providerLine),
    failed,
    refused,
    isWell ? element('p', { class: 'hint' }, `Nothing failed in ${when}.`) : null,
  ]
}

/** `outcome`: in the address of the list of requests. */
type Kind = { readonly state: string; readonly words: string; readonly outcome: string }

const LIMITED = 'limit'
const FAILED: Kind = { state: 'failed', words: 'failed', outcome: ANY_FAILURE }
const REFUSED: Kind = { state: 'refused', words: 'refused by a limit', outcome: LIMITED }

function providerLine({ name, state, text }: SickProvider): HTMLElement {
  return element(
    'p',
    { 'data-state': state },
    element('strong', {}, visibleText(`Provider ${name}`)),
    `: ${text}. `,
    element('a', { href: placeHref('requests', '', { provider: name, outcome: ANY_FAILURE }) }, 'What failed'),
    ', ',
    element('a', { href: placeHref('providers') }, state === 'paused' ? 'resume it' : 'pause it'),
  )
}

function requestsLine(counts: Failures, { state, words, outcome, when }: Kind & { when: string }): HTMLElement {
  const { count: number, isAll, codes, keys, models } = counts
  const many = number === 1 ? '1 request' : `${count(number)}${isAll ? '' : ' or more'} requests`
  const linksTo = (tallies: readonly Tally[], filter: string): Child[] =>
    tallies.flatMap((tally, index) => [
      index === 0 ? null : ', ',
      // What has no name cannot be asked for.
      tally.name.startsWith('(')
        ? said(tally)
        : element('a', { href: placeHref('requests', '', { [filter]: tally.name, outcome }) }, said(tally)),
    ])
  return element(
    'p',
    { 'data-state': state },
    element('a', { href: placeHref('requests', '', { outcome }) }, element('strong', {}, many)),
    ` ${words} in ${when}: ${codes.map(said).join(', ')}. Keys: `,
    ...linksTo(keys, 'key'),
    '. Models: ',
    ...linksTo(models, 'model'),
    '.',
  )
}

function said({ name, count: number }: Tally): string {
  return visibleText(`${name} (${count(number)})`)
}
