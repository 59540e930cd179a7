// Which providers operators have paused: on all event loops of this process, and in the account database where there is one, so that a
// pause outlasts the process and holds on every node. A pause holds here also while the database is away, and is written there later.
import { type AccountCalls } from '../accounts/store.js'

type Store = Pick<AccountCalls, 'listPaused' | 'setPaused'>

export type PausesOptions = {
  /** Null: there is no database. */
  readonly store: () => Store | null
  /** Other nodes may change it as well. */
  readonly isShared: boolean
  /** Tells all event loops. Rejects if one did not answer. */
  readonly apply: (providers: readonly string[]) => Promise<void>
}

/** What an operator did. */
type Act = { readonly isPaused: boolean; readonly by: string }

export class Pauses {
  readonly #options: PausesOptions
  #names: ReadonlySet<string> = new Set()
  /** What the database has not been told yet. */
  readonly #unsaved = new Map<string, Act>()
  #isRead = false
  #isApplied = true
  #isBusy = false

  constructor(options: PausesOptions) {
    this.#options = options
  }

  has(provider: string): boolean {
    return this.#names.has(provider)
  }

  /** Holds on all event loops when it resolves. @throws overloaded if one did not answer; the others have it */
  async set(provider: string, isPaused: boolean, by: string): Promise<void> {
    const names = new Set(this.#names)
    if (isPaused) names.add(provider)
    else names.delete(provider)
    if (isPaused !== this.has(provider)) this.#unsaved.set(provider, { isPaused, by })
    this.#names = names
    await this.#apply()
    await this.#save()
  }

  /** Once a second: says again what was not taken, and reads what other nodes have changed. Never rejects. */
  async sync(): Promise<void> {
    if (this.#isBusy) return
    this.#isBusy = true
    try {
      await this.#save()
      if (this.#options.isShared || !this.#isRead) await this.#read()
      if (!this.#isApplied) await this.#apply()
    } catch {
      // Again the next time.
    }
    this.#isBusy = false
  }

  async #apply(): Promise<void> {
    this.#isApplied = false
    await this.#options.apply([...this.#names])
    this.#isApplied = true
  }

  async #save(): Promise<void> {
    const store = this.#options.store()
    for (const [provider, act] of [...this.#unsaved]) {
      const isSaved = await (store?.setPaused(provider, act.isPaused, { by: act.by }).then(
        () => true,
        () => false,
      ) ?? true)
      // An operator may have changed it meanwhile.
      if (isSaved && this.#unsaved.get(provider) === act) this.#unsaved.delete(provider)
    }
  }

  async #read(): Promise<void> {
    const store = this.#options.store()
    const stored = store === null ? [...this.#names] : await store.listPaused()
    // What was changed here meanwhile is newer.
    if (this.#unsaved.size > 0) return
    this.#isRead = true
    const names = new Set(stored)
    const isSame = names.size === this.#names.size && stored.every((name) => this.#names.has(name))
    if (isSame) return
    this.#names = names
    this.#isApplied = false
  }
}
