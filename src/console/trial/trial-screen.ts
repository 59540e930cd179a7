// The playground in the console: any model that a key may use, two side by side, with what each answer has cost. A trial is a request of
// that key as any other: limited, metered and logged.
import { ApiError, withQuery } from '../api.js'
import { element, field, fill } from '../dom.js'
import { money } from '../format.js'
import { clientDoor } from '../playground/client-door.js'
import { createPlayground, type Playground } from '../playground/playground.js'
import { type Place, placeHref } from '../shell/place.js'
import { type OpenScreen, type Screen, type ScreenGround } from '../shell/screen.js'

type Named = { readonly data: readonly { readonly name: string }[] }
type Models = { readonly data: readonly { readonly id: string }[] }

/** A request is in the list as soon as it has settled, which may be after its client has seen the end. */
const COST_TRIES = 5
const COST_EVERY_MS = 200

export const TRY_SCREEN: Screen = { name: 'try', title: 'Playground', open: openTry }

function openTry(ground: ScreenGround, { query }: Place): OpenScreen {
  const { who } = ground
  const ended = new AbortController()
  const content = element('div', { class: 'screen' })
  const top = element('div', { class: 'top' }, element('h1', {}, 'Playground'))
  const root = element('div', { class: 'screen' }, top, content)
  if (who.role !== 'write') {
    const said = 'This admin key has the role read; a trial costs money and needs the role write.'
    fill(content, element('p', { class: 'state' }, said))
    return { root, close: () => undefined }
  }
  const view = new TryView(ground, { content, signal: ended.signal })
  view.open(query.get('key')).catch((thrown: unknown) => view.fail(thrown))
  return {
    root,
    close() {
      ended.abort()
      view.close()
    },
  }
}

class TryView {
  readonly #ground: ScreenGround
  readonly #content: HTMLElement
  readonly #signal: AbortSignal
  readonly #stage = element('div', { class: 'screen' })
  #playground: Playground | null = null

  constructor(ground: ScreenGround, { content, signal }: { content: HTMLElement; signal: AbortSignal }) {
    this.#ground = ground
    this.#content = content
    this.#signal = signal
  }

  async open(wanted: string | null): Promise<void> {
    const { api } = this.#ground
    const { data } = await api.get<Named>(withQuery('/keys', { limit: 1000 }), this.#signal)
    const names = data.map(({ name }) => name)
    const key = element('select', { id: 'key' })
    for (const name of names) key.append(element('option', { value: name }, name))
    if (wanted !== null && names.includes(wanted)) key.value = wanted
    const chosen = (): string | null => (names.length === 0 ? null : key.value)
    key.addEventListener('change', () => {
      history.replaceState(null, '', placeHref('try', '', { key: key.value }))
      this.#show(chosen()).catch((thrown: unknown) => this.fail(thrown))
    })
    fill(this.#content, names.length === 0 ? null : field('Under the key', key), this.#stage)
    await this.#show(chosen())
  }

  close(): void {
    this.#playground?.close()
  }

  fail(thrown: unknown): void {
    if (this.#signal.aborted) return
    if (!(thrown instanceof ApiError)) throw thrown
    const said = element('p', { class: 'state', 'data-state': 'failed', role: 'alert' }, thrown.message)
    fill(this.#stage.isConnected ? this.#stage : this.#content, said)
  }

  async #show(key: string | null): Promise<void> {
    const { api } = this.#ground
    this.close()
    const [{ data }, { origin, apis }] = await Promise.all([
      api.get<Models>(withQuery('/models', { key }), this.#signal),
      clientDoor(api, this.#signal),
    ])
    const models = data.map(({ id }) => id)
    this.#playground = createPlayground({
      ...{ models, apis, origin, needsKey: key !== null },
      send: (path, body, signal) =>
        api.pass('POST', withQuery(`/try/${encodeURIComponent(path)}`, { key }), { body, signal }),
      costOf: (requestId) => this.#costOf(requestId),
      recordHref: (requestId) => placeHref('requests', requestId),
    })
    fill(this.#stage, this.#playground.root)
  }

  async #costOf(id: string): Promise<string> {
    for (let tried = 0; tried < COST_TRIES && !this.#signal.aborted; tried += 1) {
      const { data } = await this.#ground.api.get<{ readonly data: readonly { readonly cost?: number }[] }>(
        withQuery('/requests', { id }),
        this.#signal,
      )
      const [entry] = data
      if (entry !== undefined) return entry.cost === undefined ? 'not priced' : money(entry.cost)
      await new Promise((resolve) => setTimeout(resolve, COST_EVERY_MS))
    }
    return money(null)
  }
}
