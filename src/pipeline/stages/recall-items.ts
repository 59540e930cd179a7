// Puts the items of earlier answers in the places of a request's input where the request only names them. An item that the caller does not
// own is not found, before any provider is asked.
import { type DecodedBody } from '../../protocols/contract/envelope.js'
import { type ItemReference, type RequestText, type StoredAnswers } from '../../protocols/contract/stored.js'
import { type ResponseDesk } from '../../responses/response-desk.js'
import { type FoundItems } from '../../responses/store.js'

export type ItemSource = {
  readonly stored: StoredAnswers
  /** Null: nothing is stored. */
  readonly desk: Pick<ResponseDesk, 'findItems'> | null
  readonly owner: string
  /** Of the request with the items. */
  readonly maxBytes: number
}

/**
 * The request with the items to which it refers; the same object if it refers to none.
 * @throws invalid_request for one that is not found; payload_too_large, storage_unavailable
 */
export function recallItems(decoded: DecodedBody, source: ItemSource): RequestText | Promise<RequestText> {
  const references = decoded.facts.state?.references ?? []
  if (references.length === 0) return decoded
  const ids = [...new Set(references.map(({ id }) => id))]
  const found = source.desk?.findItems(source.owner, ids) ?? []
  const place = (texts: FoundItems): RequestText => placeItems(decoded, source, { references, ids, texts })
  return found instanceof Promise ? found.then(place) : place(found)
}

type Found = {
  readonly references: readonly ItemReference[]
  readonly ids: readonly string[]
  readonly texts: FoundItems
}

function placeItems(decoded: DecodedBody, { stored, maxBytes }: ItemSource, found: Found): RequestText {
  const { references, ids, texts } = found
  const known = ids.flatMap((id, i) => {
    const text = texts[i]
    return text == null ? [] : [[id, text] as const]
  })
  return stored.withItems(decoded, references, { texts: new Map(known), maxBytes })
}
