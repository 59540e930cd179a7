// Canonical events -> lines of JSON. One per stream; the last line has `done: true`, the reason, counts and durations.
//
//   {..., "message":{"role":"assistant","content":"text"},"done":false}*  {..., "done":true,"done_reason":"stop", ...}
//
// A delta of text costs one JSON.stringify of it, between texts built once per block. Calls are collected, since the server sends them whole.
import { type BlockHead, type ResponseMeta, type StreamEvent } from '../../../model/event.js'
import { type JsonObject } from '../../../model/json.js'
import { finishOfRefusal } from '../../../model/refusal.js'
import { type UsageReport } from '../../../model/usage.js'
import { type EncoderOptions, type StreamEncoder } from '../../contract/protocol.js'
import { type AnswerForm, encodeCall, encodeEnd, encodeHead } from './answer.js'

/** Stands for the text of a delta while the line around it is built; no JSON text contains it unescaped. */
const DELTA = '\u0000'
const DELTA_TEXT = JSON.stringify(DELTA)
const GOES_ON = ',"done":false}\n'

/** Writes one stream in one of the forms. */
export class OllamaEncoder implements StreamEncoder {
  readonly #emit: (line: string) => void
  readonly #form: AnswerForm
  readonly #elapsedMs: (() => number) | undefined
  #head: JsonObject = {}
  #startUsage: UsageReport | null = null
  #firstMs: number | undefined
  #block: BlockHead = { kind: 'text' }
  #arguments = ''
  #hasRefused = false
  #deltaHead = ''
  #deltaTail = ''

  constructor(emit: (line: string) => void, form: AnswerForm, { elapsedMs }: Pick<EncoderOptions, 'elapsedMs'>) {
    this.#emit = emit
    this.#form = form
    this.#elapsedMs = elapsedMs
  }

  push(event: StreamEvent): void {
    switch (event.type) {
      case 'block-delta':
        this.#firstMs ??= this.#elapsedMs?.()
        if (event.delta === '') return
        if (this.#block.kind === 'tool-call') this.#arguments += event.delta
        else this.#emit(this.#deltaHead + JSON.stringify(event.delta) + this.#deltaTail)
        return
      case 'start':
        this.#start(event.meta)
        return
      case 'block-start':
        this.#openBlock(event.block)
        return
      case 'block-end':
        if (this.#block.kind !== 'tool-call') return
        this.#emit(this.#line('', { tool_calls: [encodeCall(this.#block, this.#arguments)] }))
        return
      case 'finish': {
        const usage = event.usage ?? this.#startUsage
        const reason = this.#hasRefused ? finishOfRefusal(event.reason) : event.reason
        const end = { reason, usage, totalMs: this.#elapsedMs?.(), firstMs: this.#firstMs }
        this.#emit(`${JSON.stringify({ ...this.#head, ...this.#form(''), ...encodeEnd(end) })}\n`)
        return
      }
      case 'citation':
      case 'error':
        return
    }
  }

  #start(meta: ResponseMeta): void {
    this.#startUsage = meta.usage
    this.#head = encodeHead(meta)
  }

  #openBlock(block: BlockHead): void {
    this.#block = block
    this.#hasRefused ||= block.kind === 'refusal'
    this.#arguments = ''
    const line = block.kind === 'reasoning' ? this.#line('', { thinking: DELTA }) : this.#line(DELTA)
    const at = line.indexOf(DELTA_TEXT)
    this.#deltaHead = line.slice(0, at)
    this.#deltaTail = line.slice(at + DELTA_TEXT.length)
  }

  #line(content: string, more?: JsonObject): string {
    return JSON.stringify({ ...this.#head, ...this.#form(content, more) }).slice(0, -1) + GOES_ON
  }
}
