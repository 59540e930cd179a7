// One request that has ended: where its time went, each attempt with its error, and everything that its log line says.
import { ApiError, withQuery } from '../api.js'
import { type Child, element, fill } from '../dom.js'
import { clockTime, count, duration, money, orNone, tokensPerSec } from '../format.js'
import { copyButton, curlOf, facts } from '../shell/parts.js'
import { placeHref } from '../shell/place.js'
import { type OpenScreen, type ScreenGround } from '../shell/screen.js'
import { visibleText } from '../visible-text.js'
import { createReplay } from './replay.js'
import { markOf, type RequestEntry, rateOf, type Span, spansOf, type Try } from './request-entry.js'

const PERCENT = 100
/** A span that took no time is still seen. */
const LEAST_WIDTH = 0.4

/** Shows it until it is closed. */
export function openRequest({ api, who }: ScreenGround, id: string): OpenScreen {
  const ended = new AbortController()
  const content = element('div', { class: 'screen' }, element('p', { class: 'hint', role: 'status' }, 'Loading ...'))
  const path = withQuery('/requests', { id })
  const back = element('a', { href: placeHref('requests') }, 'All requests')
  const heading = element('h1', { class: 'mono' }, visibleText(id))
  const top = element(
    'div',
    { class: 'top' },
    heading,
    back,
    copyButton('Copy as curl', () => curlOf(path)),
  )
  api
    .get<{ readonly data: readonly RequestEntry[] }>(path, ended.signal)
    .then(({ data }) => {
      const none = 'There is no such request, or it is no longer among the last ones. The log has it.'
      const shown =
        data.length === 0 ? [element('p', { class: 'state', 'data-state': 'failed' }, none)] : data.map(showEntry)
      const canReplay = who.role === 'write' && data.some(({ hasBody }) => hasBody === true)
      fill(content, ...shown, canReplay ? createReplay({ api, id, signal: ended.signal }) : null)
    })
    .catch((thrown: unknown) => {
      if (ended.signal.aborted) return
      if (!(thrown instanceof ApiError)) throw thrown
      fill(content, element('p', { class: 'state', 'data-state': 'failed', role: 'alert' }, thrown.message))
    })
  return { root: element('div', { class: 'screen' }, top, content), close: () => ended.abort() }
}

function showEntry(entry: RequestEntry): HTMLElement {
  const { tries = [] } = entry
  return element(
    'section',
    { class: 'screen' },
    facts(mainFacts(entry)),
    element('h2', {}, 'Where its time went'),
    waterfall(spansOf(entry), entry.totalMs),
    tries.length === 0 ? null : element('h2', {}, 'Attempts'),
    tries.length === 0 ? null : attempts(tries),
    element('h2', {}, 'Its log line'),
    element(
      'pre',
      { tabindex: 0, role: 'region', 'aria-label': 'Log line' },
      visibleText(JSON.stringify(entry, null, 2)),
    ),
  )
}

function mainFacts(entry: RequestEntry): [string, Child][] {
  const { outcome, status, error, key, model, target, tokens, ttftMs, totalMs, cost, finish, endedAt } = entry
  return [
    ['Outcome', element('strong', { class: 'outcome', 'data-state': markOf(entry) }, `${outcome}, status ${status}`)],
    ...(error === undefined ? [] : [['Error', `${error.code}: ${error.message}`] as [string, Child]]),
    ['Key', orNone(key)],
    ['Model', `${orNone(model)} at ${orNone(target)}`],
    ['Client API', `${entry.surface}, ${entry.transport}`],
    ['Ended', clockTime(endedAt, new Date())],
    ['First token', duration(ttftMs)],
    ['Total', duration(totalMs)],
    ['Tokens', `${count(tokens.in)} in, ${count(tokens.out)} out, ${count(tokens.cached)} cached`],
    ['Rate', tokensPerSec(rateOf(entry))],
    ['Cost', money(cost ?? null)],
    ['Finish', orNone(finish)],
  ]
}

function waterfall(spans: readonly Span[], totalMs: number): HTMLElement {
  const list = element('ol', { class: 'waterfall' })
  for (const { name, fromMs, toMs, kind } of spans) {
    const bar = element('span', { class: 'bar-of', 'data-kind': kind })
    bar.style.marginInlineStart = `${(PERCENT * fromMs) / totalMs}%`
    bar.style.width = `${Math.max(LEAST_WIDTH, (PERCENT * (toMs - fromMs)) / totalMs)}%`
    const time = element('span', { class: 'number' }, duration(toMs - fromMs))
    list.append(
      element('li', {}, element('span', {}, visibleText(name)), time, element('span', { class: 'track' }, bar)),
    )
  }
  return list
}

function attempts(tries: readonly Try[]): HTMLElement {
  const list = element('ol', { class: 'attempts' })
  for (const { target, result, code, status, message, ms } of tries) {
    const why = [code, status === null || status === undefined ? '' : `status ${status}`, message]
      .filter(Boolean)
      .join(', ')
    const said = `${target}: ${result} after ${duration(ms)}${why === '' ? '' : ` (${why})`}`
    list.append(element('li', {}, visibleText(said)))
  }
  return list
}
