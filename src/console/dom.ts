// Elements of the pages, and inputs with their labels. Strings become text nodes and nothing else: names, prompts and answers of models are never markup.

type Attribute = string | number | boolean | ((event: Event) => void)
export type Child = Node | string | null

/**
 * An element with its attributes and children. A function is a listener for the event of that name; true is an attribute without a
 * value, and false is none.
 */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Readonly<Record<string, Attribute>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') made.addEventListener(name, value)
    else if (value === true) made.setAttribute(name, '')
    else if (value !== false) made.setAttribute(name, String(value))
  }
  for (const child of children) if (child !== null) made.append(child)
  return made
}

/** An element of the page as it was loaded. @throws Error if there is none: then the page and its script are of two versions */
export function byId(id: string): HTMLElement {
  const found = document.getElementById(id)
  if (found === null) throw new Error(`no element has the id ${id}`)
  return found
}

/** Sets a text, and touches the page only where it is another one. */
export function setText(node: Node, text: string): void {
  if (node.textContent !== text) node.textContent = text
}

/** Puts these in place of what an element contains. */
export function fill(parent: Element, ...children: readonly Child[]): void {
  parent.replaceChildren(...children.filter((child) => child !== null))
}

/** An input with its label. */
export function field(label: string, input: HTMLElement, hint = ''): HTMLElement {
  const said = hint === '' ? null : element('span', { class: 'hint', id: `${input.id}-hint` }, hint)
  if (said !== null) input.setAttribute('aria-describedby', said.id)
  return element('div', { class: 'field' }, element('label', { for: input.id }, label), input, said)
}

/** A choice with its values and what they are called. */
export function choice(id: string, options: readonly (readonly [value: string, label: string])[]): HTMLSelectElement {
  const select = element('select', { id })
  for (const [value, label] of options) select.append(element('option', { value }, label))
  return select
}
