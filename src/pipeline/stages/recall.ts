// Puts the turns of an earlier answer before the input of a request that continues it, names the answer, and decides where it is stored. An
// answer that the caller does not own is not found, before any provider is asked. What is not stored and continues nothing costs an id.
//
//   body --previous id--> shelf of the connection | store --> joined body --> decoded again
import { GatewayError } from '../../errors.js'
import { type ErrorData } from '../../model/error.js'
import { type DecodedBody } from '../../protocols/contract/envelope.js'
import { type RequestText, type StateFacts, type StoredAnswers } from '../../protocols/contract/stored.js'
import { type NewResponse, type NextResponse } from '../../responses/response-desk.js'
import { type StoredResponse } from '../../responses/store.js'
import { ownerOf } from '../../streams/kept/readable-log.js'
import { type OwnAnswer } from '../client.js'
import { type ExchangeIn } from '../exchange.js'
import { recallItems } from './recall-items.js'

type Recalling = ExchangeIn<'recall'>
type Subject = {
  readonly stored: StoredAnswers
  readonly state: StateFacts
  readonly decoded: DecodedBody
  /** The request with the items to which it refers. */
  readonly whole: RequestText
}

/**
 * The request with the turns that it continues; the same object if nothing changed.
 * @throws invalid_request for an answer that is not found, or not complete; payload_too_large, storage_unavailable
 */
export function recall(
  exchange: Recalling,
  decoding: DecodedBody | Promise<DecodedBody>,
): DecodedBody | Promise<DecodedBody> {
  const { stored } = exchange.request.surface
  // A request that was recalled before has its turns.
  if (stored === undefined || exchange.own !== null) return decoding
  if (decoding instanceof Promise) return decoding.then((decoded) => recallDecoded(exchange, stored, decoded))
  return recallDecoded(exchange, stored, decoding)
}

function recallDecoded(
  exchange: Recalling,
  stored: StoredAnswers,
  decoded: DecodedBody,
): DecodedBody | Promise<DecodedBody> {
  const { state } = decoded.facts
  if (state === undefined) return decoded
  const { config, responses } = exchange.context
  const { desk } = responses
  const owner = ownerOf(exchange.request.key)
  const whole = recallItems(decoded, { stored, desk, owner, maxBytes: config.server.maxBodyBytes })
  const earlier = state.previousId === null ? null : find(exchange, state.previousId)
  if (!(whole instanceof Promise) && !(earlier instanceof Promise)) {
    return join(exchange, { stored, state, decoded, whole }, earlier)
  }
  return Promise.all([whole, earlier]).then(([request, found]) =>
    join(exchange, { stored, state, decoded, whole: request }, found),
  )
}

function find(exchange: Recalling, id: string): StoredResponse | null | Promise<StoredResponse | null> {
  const { key, shelf } = exchange.request
  return shelf?.get(id) ?? exchange.context.responses.desk?.get(ownerOf(key), id) ?? null
}

function join(
  exchange: Recalling,
  { stored, state, decoded, whole }: Subject,
  earlier: StoredResponse | null,
): DecodedBody | Promise<DecodedBody> {
  const { previousId } = state
  if (previousId !== null && earlier === null) throw stored.previousNotFound(previousId)
  const { responses, config } = exchange.context
  const isCounted = exchange.request.path?.counts === true
  const isKept = state.isStored && responses.desk !== null && !isCounted
  const isShelved = !isKept && !isCounted && exchange.request.shelf != null
  const id = stored.encodeId(responses.ids.create())
  // Those of the background come with a name: this one has its client, however its body is written.
  const members = stored.ownMembers(id, { ...state, isBackground: false }, isKept)
  if (earlier === null && !isKept && !isShelved) {
    exchange.own = { members, keep: null, isPrivate: whole !== decoded }
    return decodeAgain(exchange, { decoded, state, body: whole.body })
  }
  const joined = stored.joinTurns(whole, earlier, config.server.maxBodyBytes)
  const { input } = joined
  const keep = isKept ? keepInStore(exchange, id, input) : isShelved ? keepOnShelf(exchange, id, input) : null
  const own = { members, keep, isPrivate: true }
  // A client that loses a kept stream may come back to it by the id of its answer.
  const isFound = isKept && decoded.facts.stream && exchange.sink.keptId !== undefined
  exchange.own = isFound ? { ...own, ...findable(exchange, { stored, own, decoded, input }) } : own
  return decodeAgain(exchange, { decoded, state, body: joined.body })
}

type Again = { readonly decoded: DecodedBody; readonly state: StateFacts; readonly body: RequestText['body'] }

/** The same object if nothing has changed. */
function decodeAgain(exchange: Recalling, { decoded, state, body }: Again): DecodedBody | Promise<DecodedBody> {
  if (body === decoded.body) return decoded
  const again = exchange.context.offload.skim(exchange.request.surface.id, body)
  return again instanceof Promise ? again.then((joined) => withState(joined, state)) : withState(again, state)
}

/** The facts of the request as it came, with the content of the joined one. */
function withState(decoded: DecodedBody, state: StateFacts): DecodedBody {
  return { ...decoded, facts: { ...decoded.facts, state } }
}

function keepInStore(exchange: Recalling, id: string, input: Uint8Array): OwnAnswer['keep'] {
  const { desk } = exchange.context.responses
  if (desk === null) return null
  return (answer) => desk.commit(recordOf(exchange, { id, input, answer, phase: 'over' }))
}

function keepOnShelf(exchange: Recalling, id: string, input: Uint8Array): OwnAnswer['keep'] {
  const { shelf } = exchange.request
  return (answer) => {
    const record = recordOf(exchange, { id, input, answer, phase: 'over' })
    shelf?.put({ ...record, expiresAtMs: Number.POSITIVE_INFINITY })
    return null
  }
}

type Finding = {
  readonly stored: StoredAnswers
  readonly own: Pick<OwnAnswer, 'members' | 'keep'>
  readonly decoded: DecodedBody
  readonly input: Uint8Array
}

/** Stores the answer as one in progress when its kept stream begins, and as one that failed if it does. */
function findable(
  exchange: Recalling,
  { stored, own, decoded, input }: Finding,
): Pick<OwnAnswer, 'keep' | 'began' | 'settled'> {
  const { members } = own
  const { id } = members
  const { desk } = exchange.context.responses
  const echo = decoded.json === null ? null : (exchange.request.surface.readEcho?.(decoded.json) ?? null)
  const head = { own: members, model: decoded.facts.model, createdSec: exchange.context.clock.unixSec() }
  const show = (status: 'in_progress' | 'failed', error: ErrorData | null): Uint8Array =>
    Buffer.from(JSON.stringify(stored.encodeState({ ...head, status, error }, echo)))
  /** What came of storing it as one in progress; undefined where that was never tried. */
  let beginning: GatewayError | null | Promise<GatewayError | null> | undefined
  return {
    /** Its client has it by its id, and may have deleted it: then it does not come back. */
    async keep(answer) {
      if (beginning === undefined || (await beginning) !== null) return (await own.keep?.(answer)) ?? null
      const advanced = await desk?.advance(nextOf(exchange, { id, answer, phase: 'over' }))
      return advanced instanceof GatewayError ? advanced : null
    },
    began(streamId) {
      if (streamId === null) return
      const record = recordOf(exchange, { id, input, answer: show('in_progress', null), phase: 'running' })
      beginning = desk?.commit(record)
    },
    settled(error) {
      if (beginning === undefined || error === null) return
      void desk?.advance(nextOf(exchange, { id, answer: show('failed', error), phase: 'over' }))
    },
  }
}

type State = { readonly id: string; readonly answer: Uint8Array; readonly phase: 'running' | 'over' }

function nextOf(exchange: Recalling, { id, answer, phase }: State): NextResponse {
  const owner = ownerOf(exchange.request.key)
  return { id, owner, phase, response: answer, streamId: exchange.sink.keptId ?? null }
}

function recordOf(exchange: Recalling, state: State & { readonly input: Uint8Array }): NewResponse {
  const model = exchange.decoded?.facts.model ?? ''
  return { ...nextOf(exchange, state), model, input: state.input }
}
