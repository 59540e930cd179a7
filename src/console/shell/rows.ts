// A list of things that come, change and go: an element for each, changed in place, so that focus, selection and place in the list stay.
// A thousand of them are worked through in pieces, and the page answers in between.

export type RowView<Item> = {
  readonly root: HTMLElement
  update(item: Item): void
}

export type RowsOptions<Item> = {
  readonly parent: HTMLElement
  readonly idOf: (item: Item) => string
  readonly create: (item: Item) => RowView<Item>
  readonly nowMs: () => number
  /** Lets the page work; resolves when it has. */
  readonly breathe: () => Promise<void>
}

/** Work in one go; what it lays out afterwards takes as long again. */
const PIECE_MS = 10
/** The same where the clock of the browser is a coarse one. */
const PIECE = 40

export class Rows<Item> {
  readonly #options: RowsOptions<Item>
  readonly #views = new Map<string, RowView<Item>>()

  constructor(options: RowsOptions<Item>) {
    this.#options = options
  }

  get size(): number {
    return this.#views.size
  }

  /** Makes the list that of these, in their order. Only one call may run at a time. */
  async show(items: readonly Item[]): Promise<void> {
    const { idOf } = this.#options
    const kept = new Set(items.map(idOf))
    const rest = this.#paced()
    for (const [id, { root }] of this.#views) {
      if (kept.has(id)) continue
      root.remove()
      this.#views.delete(id)
      if (rest.isDue()) await rest.take()
    }
    let before: HTMLElement | null = null
    for (const item of items) {
      before = this.#place(item, before)
      if (rest.isDue()) await rest.take()
    }
  }

  #paced() {
    const { nowMs, breathe } = this.#options
    let fromMs = nowMs()
    let done = 0
    return {
      isDue: (): boolean => {
        done += 1
        return done >= PIECE || nowMs() - fromMs >= PIECE_MS
      },
      async take(): Promise<void> {
        await breathe()
        fromMs = nowMs()
        done = 0
      },
    }
  }

  #place(item: Item, before: HTMLElement | null): HTMLElement {
    const { parent, idOf, create } = this.#options
    const id = idOf(item)
    const view = this.#views.get(id) ?? create(item)
    this.#views.set(id, view)
    view.update(item)
    const { root } = view
    // Moving an element takes the focus from it, so only one that is in the wrong place is moved.
    const there = before === null ? parent.firstElementChild : before.nextElementSibling
    if (there !== root) parent.insertBefore(root, there)
    return root
  }
}
