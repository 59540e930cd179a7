// The members of a response object that the gateway decides: its id, by which it is stored here and not at the vendor, and what the request
// said about that. Put into the vendor's own bytes, of which every other one stays as it was.
import { isJsonObject, type JsonObject, type JsonValue } from '../../model/json.js'
import { type Member, scanMembers, spliceMembers } from '../../wire/body/members.js'
import { type OwnMembers, type StateFacts } from '../contract/stored.js'

/** `isKept`: it is stored here. */
export function ownMembers(id: string, { previousId, isBackground }: StateFacts, isKept: boolean): OwnMembers {
  return { id, store: isKept, background: isBackground, previous_response_id: previousId }
}

/** Those in an echo; null if the gateway has decided none. */
export function ownOf(echo: JsonObject | null): OwnMembers | null {
  const own = echo?.own
  return isJsonObject(own) && typeof own.id === 'string' ? { ...own, id: own.id } : null
}

/** The text of a response object with these members; the same bytes if it is none. */
export function withOwn(answer: Uint8Array, own: OwnMembers): Uint8Array {
  const members = scanMembers(answer)
  if (members === null) return answer
  const bytes = answer as Uint8Array<ArrayBuffer>
  return spliceMembers(bytes, members, new Map(Object.entries(own)))
}

/**
 * The payloads of the first two events of an answer that runs without its client, for the one with which its upstream begins. The second
 * one is not the upstream's, so all later events have the next number.
 */
export function queuedEvents(payload: Buffer, own: OwnMembers): readonly [created: Buffer, queued: Buffer] | null {
  const created = eventWithOwn(payload, { ...own, status: 'queued' })
  const members = created === null ? null : scanMembers(created)
  if (created === null || members === null) return null
  const sequence = sequenceIn(created, members)
  const changes = new Map<string, JsonValue>([['type', 'response.queued']])
  if (sequence !== null) changes.set('sequence_number', sequence + 1)
  return [created, Buffer.from(spliceMembers(created as Buffer<ArrayBuffer>, members, changes))]
}

/** The payload of an event with the next number; the same bytes if it has none. */
export function withNextNumber(payload: Buffer): Buffer {
  const members = scanMembers(payload)
  const sequence = members === null ? null : sequenceIn(payload, members)
  if (members === null || sequence === null) return payload
  const changes = new Map([['sequence_number', sequence + 1]])
  return Buffer.from(spliceMembers(payload as Buffer<ArrayBuffer>, members, changes))
}

function sequenceIn(payload: Buffer, members: readonly Member[]): number | null {
  const span = members.findLast(({ key }) => key === 'sequence_number')
  const digits = span === undefined ? '' : payload.toString('latin1', span.valueStart, span.valueEnd)
  return /^\d{1,15}$/.test(digits) ? Number(digits) : null
}

/** The payload of an event with these members in its response object; null if it has none. */
export function eventWithOwn(payload: Buffer, own: OwnMembers): Buffer | null {
  const span = scanMembers(payload)?.findLast(({ key }) => key === 'response')
  if (span === undefined) return null
  const response = withOwn(payload.subarray(span.valueStart, span.valueEnd), own)
  const [before, after] = [payload.subarray(0, span.valueStart), payload.subarray(span.valueEnd)]
  return Buffer.concat([before, response, after])
}
