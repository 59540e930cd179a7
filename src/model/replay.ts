// Converts a whole answer into events, in the order of their law: the inverse of the aggregator.
import { type Citation } from './citation.js'
import { type BlockHead, type StreamEvent } from './event.js'
import { type AnswerPart, type ChatResponse } from './response.js'

/** Each part becomes one block with one delta, and then its citations. */
export function eventsOf(response: ChatResponse): StreamEvent[] {
  const events: StreamEvent[] = [{ type: 'start', meta: response.meta }]
  response.content.forEach((part, index) => {
    const { block, delta, signature } = blockOf(part)
    events.push({ type: 'block-start', index, block })
    if (delta !== '') events.push({ type: 'block-delta', index, delta })
    for (const citation of citationsOf(part)) events.push({ type: 'citation', index, citation })
    events.push({ type: 'block-end', index, signature })
  })
  const { finishReason: reason, usage, stopSequence, refusal } = response
  const details = refusal === undefined ? {} : { refusal }
  events.push({ type: 'finish', reason, usage, stopSequence, ...details })
  return events
}

function citationsOf(part: AnswerPart): readonly Citation[] {
  return (part.type === 'text' ? part.citations : undefined) ?? []
}

function blockOf(part: AnswerPart): { block: BlockHead; delta: string; signature: string | null } {
  switch (part.type) {
    case 'text':
      return { block: { kind: 'text' }, delta: part.text, signature: null }
    case 'refusal':
      return { block: { kind: 'refusal' }, delta: part.text, signature: null }
    case 'reasoning':
      return { block: { kind: 'reasoning', redacted: part.redacted }, delta: part.text, signature: part.signature }
    case 'tool-call':
      return {
        block: { kind: 'tool-call', id: part.id, name: part.name },
        delta: part.arguments,
        signature: part.signature,
      }
    case 'made-image':
      return { block: { kind: 'image', source: part.source }, delta: '', signature: null }
    case 'opaque':
      return {
        block: { kind: 'opaque', wire: part.wire, name: part.name, value: part.value },
        delta: '',
        signature: null,
      }
  }
}
