// One answer of the playground on the page: its text as it comes, and the figures beside it. Text is added once a frame of the screen,
// however many tokens come in between.
import { element, fill, setText } from '../dom.js'
import { duration, tokensPerSec as rateText } from '../format.js'
import { visibleText } from '../visible-text.js'
import { type ChatEnd, type ChatFacts } from './chat-stream.js'

type Kind = 'answer' | 'thinking'

export class AnswerView {
  readonly root: HTMLElement
  readonly #answer = element('div', { class: 'answer' })
  readonly #thinking = element('div', { class: 'thinking', hidden: true })
  readonly #state = element('p', { class: 'state', role: 'status' }, 'Nothing sent yet.')
  readonly #firstToken = figure()
  readonly #tokens = figure()
  readonly #rate = figure()
  readonly #cost = figure()
  readonly #record = element('p', {})
  readonly #pending = { answer: '', thinking: '' }
  #facts: ChatFacts | null = null
  #isDrawing = false
  #isEnded = false

  /** `name`: what the answer is of, for those who cannot see where it stands. */
  constructor(name: string, { hasCost }: { readonly hasCost: boolean }) {
    const figures = element(
      'dl',
      { class: 'figures' },
      labelled('First token', this.#firstToken),
      labelled('Rate', this.#rate),
      labelled('Tokens', this.#tokens),
      hasCost ? labelled('Cost', this.#cost) : '',
    )
    // A region that scrolls must be reachable by keyboard.
    const text = element('div', { class: 'text', tabindex: 0, role: 'region', 'aria-label': name })
    text.append(this.#thinking, this.#answer)
    this.root = element('section', { class: 'answer-view' }, this.#state, figures, text, this.#record)
  }

  begin(): void {
    this.#answer.replaceChildren()
    this.#thinking.replaceChildren()
    this.#thinking.hidden = true
    this.#pending.answer = ''
    this.#pending.thinking = ''
    this.#record.replaceChildren()
    this.#facts = null
    this.#isEnded = false
    for (const value of [this.#firstToken, this.#rate, this.#tokens, this.#cost]) setText(value, '–')
    this.#say('open', 'Waiting for the first token ...')
  }

  add(kind: Kind, text: string): void {
    this.#pending[kind] += text
    this.#drawSoon()
  }

  show(facts: ChatFacts): void {
    this.#facts = facts
    this.#drawSoon()
  }

  end(end: ChatEnd): void {
    this.#isEnded = true
    this.#draw()
    if (end.kind === 'complete')
      this.#say('complete', visibleText(`Complete (${end.finishReason || 'no reason given'}).`))
    else if (end.kind === 'stopped') this.#say('stopped', 'Stopped.')
    else this.#say('failed', visibleText(end.message))
  }

  showCost(cost: string): void {
    setText(this.#cost, cost)
  }

  /** Where all that is on record of it is shown, once it has ended. */
  showRecord(href: string): void {
    fill(this.#record, element('a', { href }, 'Its record'))
  }

  #say(kind: string, text: string): void {
    this.#state.dataset.state = kind
    setText(this.#state, text)
  }

  #drawSoon(): void {
    if (this.#isDrawing) return
    this.#isDrawing = true
    requestAnimationFrame(() => this.#draw())
  }

  #draw(): void {
    this.#isDrawing = false
    this.#append(this.#thinking, 'thinking')
    this.#append(this.#answer, 'answer')
    const facts = this.#facts
    if (facts === null) return
    if (this.#state.dataset.state === 'open') setText(this.#state, 'Streaming ...')
    const { firstTokenMs, tokens, tokensPerSec, isReported } = facts
    setText(this.#firstToken, duration(firstTokenMs))
    setText(this.#rate, rateText(tokensPerSec))
    setText(this.#tokens, `${tokens}${isReported ? '' : this.#isEnded ? ' counted' : ' so far'}`)
  }

  #append(to: HTMLElement, kind: Kind): void {
    const text = this.#pending[kind]
    if (text === '') return
    this.#pending[kind] = ''
    to.hidden = false
    const last = to.lastChild
    if (last instanceof Text) last.appendData(visibleText(text))
    else to.append(visibleText(text))
  }
}

function figure(): HTMLElement {
  return element('dd', {}, '–')
}

function labelled(label: string, value: HTMLElement): HTMLElement {
  return element('div', {}, element('dt', {}, label), value)
}
