// The answer as typed server-sent events, for clients that request them:
//
//   data: {"type":"delta","text":"..."}   *      data: {"type":"done","usage":{"input":9,"output":3}}
//                                                data: {"type":"error","error":"..."}   where it was cut
import { type ErrorData } from '../../model/error.js'
import { type StreamEvent } from '../../model/event.js'
import { believable, type Usage } from '../../model/usage.js'
import { encodeSseFrame } from '../../wire/sse.js'
import { type StreamEncoder } from '../contract/protocol.js'

/** Writes one stream: the model's text or refusal, no reasoning. */
export class EventEncoder implements StreamEncoder {
  readonly #emit: (frame: string) => void
  #isText = false

  constructor(emit: (frame: string) => void) {
    this.#emit = emit
  }

  push(event: StreamEvent): void {
    switch (event.type) {
      case 'block-delta':
        if (!this.#isText || event.delta === '') return
        this.#emit(encodeSseFrame(`{"type":"delta","text":${JSON.stringify(event.delta)}}`))
        return
      case 'block-start':
        this.#isText = event.block.kind === 'text' || event.block.kind === 'refusal'
        return
      case 'finish':
        this.#emit(encodeSseFrame(JSON.stringify({ type: 'done', usage: encodeUsage(believable(event.usage)) })))
        return
      case 'start':
      case 'block-end':
      case 'citation':
      case 'error':
        return
    }
  }
}

/** The last event of a stream that cannot be completed. */
export function encodeErrorEvent(error: ErrorData): string {
  return encodeSseFrame(JSON.stringify({ type: 'error', error: error.message }))
}

/** Null if the provider does not report it. */
function encodeUsage(usage: Usage | null): { input: number; output: number } | null {
  return usage === null ? null : { input: usage.inputTokens, output: usage.outputTokens }
}
