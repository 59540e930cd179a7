// The one rule for parts of an answer that the client's wire has no place for: they are left out and named. Text, refusals, reasoning and
// calls are written by every surface as well as it can; of the others a surface declares which it has a place for.
import { type Citation } from '../../model/citation.js'
import { type BlockHead, type ImageHead, type OpaqueHead } from '../../model/event.js'
import { type AnswerPart, type ChatResponse } from '../../model/response.js'

/** The parts that not every wire has a place for. */
export type RarePart = Citation | ImageHead | OpaqueHead

/** True for a block that not every wire has a place for. */
export function isRare(block: BlockHead): block is ImageHead | OpaqueHead {
  return block.kind === 'image' || block.kind === 'opaque'
}

/** Whether a wire has a place for such a part; absent if it has one for none. */
export type HasPlace = ((part: RarePart) => boolean) | undefined

/** The answer as it can be written. `dropped`: names of what was left out. */
export type FittedAnswer = { readonly response: ChatResponse; readonly dropped: readonly string[] }

/** A whole answer: the same one if there is a place for everything. */
export function fitAnswer(response: ChatResponse, hasPlace: HasPlace): FittedAnswer {
  const filter = new PartFilter(hasPlace)
  const content = response.content.flatMap((part) => fitPart(part, filter))
  const { dropped } = filter
  return dropped.length === 0 ? { response, dropped } : { response: { ...response, content }, dropped }
}

function fitPart(part: AnswerPart, filter: PartFilter): AnswerPart[] {
  switch (part.type) {
    case 'made-image':
      return filter.keeps({ kind: 'image', source: part.source }) ? [part] : []
    case 'opaque':
      return filter.keeps({ kind: 'opaque', wire: part.wire, name: part.name, value: part.value }) ? [part] : []
    case 'text': {
      if (part.citations === undefined) return [part]
      const citations = part.citations.filter((citation) => filter.keeps(citation))
      return [citations.length === 0 ? { type: 'text', text: part.text } : { ...part, citations }]
    }
    default:
      return [part]
  }
}

/** One per answer: decides part by part, and remembers the names of what is left out. */
export class PartFilter {
  readonly #hasPlace: HasPlace
  readonly dropped: string[] = []

  constructor(hasPlace: HasPlace) {
    this.#hasPlace = hasPlace
  }

  keeps(part: RarePart): boolean {
    if (this.#hasPlace?.(part) === true) return true
    const name = nameOf(part)
    if (!this.dropped.includes(name)) this.dropped.push(name)
    return false
  }
}

/** The name of a part in `x-sluice-dropped`. */
function nameOf(part: RarePart): string {
  switch (part.kind) {
    case 'citation':
      return 'citations'
    case 'image':
      return 'images'
    case 'opaque':
      return part.name
  }
}
