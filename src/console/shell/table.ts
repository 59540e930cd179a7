// A list with columns: a table on a wide page, cards on a narrow one, and a table to those who cannot see it. Rows change in place.
import { type Child, element, setText } from '../dom.js'
import { visibleText } from '../visible-text.js'
import { Rows, type RowView } from './rows.js'

export type Column<Item> = {
  readonly name: string
  readonly isNumber?: boolean
  readonly isMono?: boolean
  readonly textOf: (item: Item) => string
  /** Where the text leads. */
  readonly hrefOf?: (item: Item) => string
}

/** Buttons of a row. `update` is called whenever the row changes. */
export type RowActions<Item> = { readonly nodes: readonly Child[]; readonly update?: (item: Item) => void }

export type TableOptions<Item> = {
  readonly label: string
  readonly className: string
  readonly columns: readonly Column<Item>[]
  readonly idOf: (item: Item) => string
  /** Marks the row for its look. */
  readonly stateOf?: (item: Item) => string
  /** `current` gives the item as it is shown at present. */
  readonly createActions?: (first: Item, current: () => Item) => RowActions<Item>
}

export type Table<Item> = {
  readonly root: HTMLElement
  /** Only one call may run at a time. */
  show(items: readonly Item[]): Promise<void>
}

/** Builds an empty one, which is hidden until it has rows. */
export function createTable<Item>(options: TableOptions<Item>): Table<Item> {
  const { label, className, columns, idOf, createActions } = options
  const head = element('div', { class: 'row head', role: 'row' })
  for (const { name, isNumber } of columns) {
    head.append(element('span', { role: 'columnheader', class: isNumber === true ? 'number' : '' }, name))
  }
  if (createActions !== undefined) head.append(element('span', { role: 'columnheader', 'aria-label': 'Actions' }))
  const body = element('div', { role: 'rowgroup', class: 'rows' })
  const root = element('div', { role: 'table', 'aria-label': label, class: `list ${className}` }, head, body)
  const rows = new Rows<Item>({
    ...{ parent: body, idOf, create: (item) => createRow(item, options) },
    ...{ breathe, nowMs: () => performance.now() },
  })
  return { root, show: (items) => rows.show(items) }
}

function createRow<Item>(first: Item, options: TableOptions<Item>): RowView<Item> {
  const { columns, stateOf, createActions } = options
  let item = first
  const cells = columns.map((column) => createCell(column))
  const actions = createActions?.(first, () => item)
  const root = element('div', { role: 'row', class: 'row' }, ...cells.map((cell) => cell.root))
  if (actions !== undefined) root.append(element('span', { role: 'cell', class: 'buttons' }, ...actions.nodes))
  return {
    root,
    update(next) {
      item = next
      const state = stateOf?.(next)
      if (state !== undefined && root.dataset.state !== state) root.dataset.state = state
      for (const cell of cells) cell.update(next)
      actions?.update?.(next)
    },
  }
}

function createCell<Item>({ name, isNumber, isMono, textOf, hrefOf }: Column<Item>): RowView<Item> {
  const kind = [isNumber === true ? 'number' : '', isMono === true ? 'mono' : ''].join(' ').trim()
  const root = element('span', { role: 'cell', class: kind, 'data-label': name })
  const link = hrefOf === undefined ? null : element('a', {})
  if (link !== null) root.append(link)
  return {
    root,
    update(item) {
      setText(link ?? root, visibleText(textOf(item)))
      const href = hrefOf?.(item)
      if (link !== null && href !== undefined && link.getAttribute('href') !== href) link.setAttribute('href', href)
    },
  }
}

/** After the next frame of the screen. */
function breathe(): Promise<void> {
  return new Promise((resolve) => {
    if (document.hidden) setTimeout(resolve)
    else requestAnimationFrame(() => setTimeout(resolve))
  })
}
