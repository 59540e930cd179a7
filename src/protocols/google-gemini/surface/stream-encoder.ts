// Canonical events -> the vendor's chunks, each a GenerateContentResponse. One per stream; the last one has the finish reason and usage.
//
//   {candidates:[{content:{parts:[{text}],role},index}],modelVersion,responseId}*  {... finishReason, usageMetadata ...}
//
// A delta of text costs one JSON.stringify of it, between texts built once per block. Calls are collected, since the vendor sends them whole.
import { type Citation } from '../../../model/citation.js'
import { type BlockHead, type ResponseMeta, type StreamEvent } from '../../../model/event.js'
import { type JsonObject } from '../../../model/json.js'
import { believable, type UsageReport } from '../../../model/usage.js'
import { type StreamEncoder } from '../../contract/protocol.js'
import { type Cited, encodeSources } from '../citations.js'
import { encodeEnding } from '../finish-reason.js'
import { encodeUsage } from '../usage.js'
import { EMPTY_PART, encodeCall, encodeImage, encodeTextSignature, encodeThought } from './encode-parts.js'

/** Writes one stream; `emit` gets the JSON text of each chunk. */
export class GeminiEncoder implements StreamEncoder {
  readonly #emit: (payload: string) => void
  /** The end of every chunk but the last, as JSON text. */
  #about = ''
  #startUsage: UsageReport | null = null
  #block: BlockHead = { kind: 'text' }
  /** Of the open block; a call is written whole, and sources are named by bytes. */
  #words = ''
  /** Of the texts before it. */
  #said = ''
  #citations: Citation[] = []
  readonly #cited: Cited[] = []
  #hasRefused = false
  #deltaHead = ''
  #deltaTail = ''

  constructor(emit: (payload: string) => void) {
    this.#emit = emit
  }

  push(event: StreamEvent): void {
    switch (event.type) {
      case 'block-delta':
        if (event.delta === '') return
        this.#words += event.delta
        if (this.#block.kind !== 'tool-call')
          this.#emit(this.#deltaHead + JSON.stringify(event.delta) + this.#deltaTail)
        return
      case 'start':
        this.#start(event.meta)
        return
      case 'block-start':
        this.#openBlock(event.block)
        return
      case 'citation':
        this.#citations.push(event.citation)
        return
      case 'block-end':
        this.#closeBlock(event.signature)
        return
      case 'finish': {
        const usage = believable(event.usage) ?? believable(this.#startUsage)
        const counts = usage === null ? '' : `,"usageMetadata":${JSON.stringify(encodeUsage(usage))}`
        const { reason, refusal } = event
        const sources = encodeSources(this.#cited)
        const members = {
          ...encodeEnding({ reason, refusal, hasRefused: this.#hasRefused }),
          ...(sources === null ? {} : { groundingMetadata: sources }),
        }
        const ending = JSON.stringify(members).slice(1, -1)
        this.#emit(`${encodeHead(EMPTY_PART)},${ending},"index":0}]${counts}${this.#about}`)
        return
      }
      case 'error':
        return
    }
  }

  #start({ id, model, usage }: ResponseMeta): void {
    this.#startUsage = usage
    this.#about = `,"modelVersion":${JSON.stringify(model)},"responseId":${JSON.stringify(id)}}`
  }

  #openBlock(block: BlockHead): void {
    this.#block = block
    this.#hasRefused ||= block.kind === 'refusal'
    this.#words = ''
    const thought = block.kind === 'reasoning' ? ',"thought":true' : ''
    this.#deltaHead = '{"candidates":[{"content":{"parts":[{"text":'
    this.#deltaTail = `${thought}}],"role":"model"},"index":0}]${this.#about}`
  }

  #closeBlock(signature: string | null): void {
    const block = this.#block
    if (block.kind === 'text') this.#endText()
    if (block.kind === 'image') this.#emitPart(encodeImage(block.source, signature))
    else if (block.kind === 'opaque') this.#emitPart(block.value)
    else if (block.kind === 'tool-call') this.#emitPart(encodeCall(block, this.#words, signature))
    else if (block.kind === 'reasoning') {
      if (signature !== null || block.redacted !== null) this.#emitPart(encodeThought('', signature, block.redacted))
    } else if (signature !== null) this.#emitPart(encodeTextSignature(signature))
  }

  /** Chunks are parts of one text to a client. */
  #endText(): void {
    const [offset, chars] = [this.#said.length, this.#words.length]
    this.#said += this.#words
    for (const citation of this.#citations) this.#cited.push({ citation, text: this.#said, offset, chars, part: 0 })
    this.#citations = []
  }

  #emitPart(part: JsonObject): void {
    this.#emit(`${encodeHead(part)},"index":0}]${this.#about}`)
  }
}

/** A chunk up to the end of its content, as JSON text. */
function encodeHead(part: JsonObject): string {
  return `{"candidates":[{"content":{"parts":[${JSON.stringify(part)}],"role":"model"}`
}
