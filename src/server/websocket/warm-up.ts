// A turn that generates nothing: it gets an id under which its input is kept, so that the next turn sends only what is new. It takes one
// request of the key's limits, and reaches no provider.
import { type KeyIdentity, type ResponseShelf } from '../../pipeline/client.js'
import { recallItems } from '../../pipeline/stages/recall-items.js'
import { type DecodedBody } from '../../protocols/contract/envelope.js'
import { type Surface } from '../../protocols/contract/protocol.js'
import { type SocketMode } from '../../protocols/contract/socket-mode.js'
import { type StateFacts, type StoredAnswers } from '../../protocols/contract/stored.js'
import { ownerOf } from '../../streams/kept/readable-log.js'
import { type FrontView } from '../context.js'

/** Parses and validates a body, on this thread or in the pool. */
export type DecodeBody = (surfaceId: string, body: Uint8Array<ArrayBuffer>) => DecodedBody | Promise<DecodedBody>

export type WarmUp = {
  readonly surface: Surface
  readonly mode: SocketMode
  readonly stored: StoredAnswers
  readonly view: FrontView
  readonly key: KeyIdentity
  readonly shelf: ResponseShelf
  /** Of the input with the turns that it continues. */
  readonly maxBytes: number
  readonly decode: DecodeBody
}

/**
 * The frames of the empty answer, once it can be continued.
 * @throws invalid_request, payload_too_large, rate_limited, model_not_found, forbidden, storage_unavailable
 */
export async function warmUp(turn: WarmUp, body: Uint8Array<ArrayBuffer>): Promise<string[]> {
  const { surface, mode, stored, view, key, shelf } = turn
  const decoded = await turn.decode(surface.id, body)
  const { model, state = NO_STATE } = decoded.facts
  view.jobs.checkRoute(key, decoded)
  await view.jobs.countRequest(key)
  const { desk, ids } = view.responses
  const owner = ownerOf(key)
  const { previousId } = state
  const earlier = previousId === null ? null : (shelf.get(previousId) ?? (await desk?.get(owner, previousId)) ?? null)
  if (previousId !== null && earlier === null) throw stored.previousNotFound(previousId)
  const id = stored.encodeId(ids.create())
  const isKept = state.isStored && desk !== null
  const echo = { ...surface.readEcho?.(decoded.json ?? {}), own: stored.ownMembers(id, state, isKept) }
  const frames = mode.encodeEmpty({ id, model, createdSec: Math.floor(Date.now() / MS_PER_SEC) }, echo)
  const whole = await recallItems(decoded, { stored, desk, owner, maxBytes: turn.maxBytes })
  const { input } = stored.joinTurns(whole, earlier, turn.maxBytes)
  const response = stored.answerIn(Buffer.from(frames.at(-1) ?? '')) ?? EMPTY
  const record = { id, owner, model, phase: 'over', input, response, streamId: null } as const
  const failure = isKept ? await desk.commit(record) : null
  if (failure !== null) throw failure
  if (!isKept) shelf.put({ ...record, expiresAtMs: Number.POSITIVE_INFINITY })
  return frames
}

const NO_STATE: StateFacts = Object.freeze({ previousId: null, isStored: false, isBackground: false })
const MS_PER_SEC = 1000
const EMPTY = new Uint8Array(0)
