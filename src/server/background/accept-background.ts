// Takes requests that run without their client: each is checked like any other, stored as `queued` and answered at once, or with a stream
// whose run goes on when the client leaves.
//
//   decode, check --> store of answers --> job store, where answers survive a process --> answer, or the events as they come
//                                     '--> memory of this process
import { GatewayError } from '../../errors.js'
import { type Acceptance } from '../../jobs/store.js'
import { type JsonObject } from '../../model/json.js'
import { type KeyIdentity } from '../../pipeline/client.js'
import { recallItems } from '../../pipeline/stages/recall-items.js'
import { type DecodedBody } from '../../protocols/contract/envelope.js'
import { type Surface } from '../../protocols/contract/protocol.js'
import { type OwnMembers, type StateFacts, type StoredAnswers } from '../../protocols/contract/stored.js'
import { type NewResponse, type ResponseDesk } from '../../responses/response-desk.js'
import { ownerOf } from '../../streams/kept/readable-log.js'
import { containsText } from '../../wire/body/find-text.js'
import { scanMembers } from '../../wire/body/members.js'
import { asBuffer, parseJsonBody } from '../../wire/json.js'
import { type BackgroundJobs, type ServerContext } from '../context.js'
import { refuseToken } from '../http/credentials.js'
import { type HttpExchange, type TakeBody } from '../http/http.js'
import { BackgroundRun } from './background-run.js'
import { tooManyWait } from './background-runs.js'
import { createAnswerRun } from './create-run.js'
import { followAnswer } from './follow-answer.js'

export type BackgroundDoor = {
  readonly front: Pick<ServerContext, 'background' | 'bell' | 'view' | 'now' | 'maxBodyBytes'>
  /** Checks a body in the same way as for an exchange. */
  readonly decode: (surfaceId: string, body: Body) => DecodedBody | Promise<DecodedBody>
  readonly unixSec: () => number
}

type Body = Uint8Array<ArrayBuffer>

const MEMBER = 'background'
const NAME = `"${MEMBER}"`
const MS_PER_SEC = 1000

/** Takes those bodies, and leaves all others to `rest`. */
export function createTakeBackground(door: BackgroundDoor, rest: TakeBody): TakeBody {
  return function takeBackground(exchange, body, key) {
    const { surface, path } = exchange
    const stored = surface?.stored
    if (surface === null || stored === undefined || path !== null || !asksBackground(body)) {
      return rest(exchange, body, key)
    }
    const accepting = new Accepting({ door, exchange, key, surface, stored })
    accepting.accept(body).catch((thrown: unknown) => exchange.reject(thrown))
    return true
  }
}

/** The name may also occur in a text, so the members are read to be sure. */
function asksBackground(body: Body): boolean {
  const bytes = asBuffer(body)
  if (!containsText(bytes, NAME)) return false
  const member = scanMembers(body)?.findLast(({ key }) => key === MEMBER)
  return member !== undefined && bytes.toString('latin1', member.valueStart, member.valueEnd) === 'true'
}

type Parts = {
  readonly door: BackgroundDoor
  readonly exchange: HttpExchange
  readonly key: KeyIdentity
  readonly surface: Surface
  readonly stored: StoredAnswers
}

/** One of them, until it runs. */
class Accepting {
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** @throws forbidden, invalid_request, rate_limited, overloaded, model_not_found, storage_unavailable, storage_full */
  async accept(body: Body): Promise<void> {
    const { door, exchange, key, surface, stored } = this.#parts
    const { jobs, responses, keeping, backgroundJobs } = exchange.view
    refuseToken(key)
    if (exchange.head.idempotencyKey !== '') throw notRepeated()
    const counting = jobs.countRequest(key)
    if (counting !== null) await counting
    const decoded = await door.decode(surface.id, body)
    const { desk } = responses
    const { state, model, stream: isStream } = decoded.facts
    if (desk === null || state === undefined) throw needsStore()
    if (isStream && keeping === null) throw needsKeptStreams()
    jobs.checkRoute(key, decoded)
    jobs.checkTokens(key, decoded)
    const joined = await this.#join(decoded, desk, state)
    const members = stored.ownMembers(stored.encodeId(responses.ids.create()), state, true)
    const head = { own: members, model, createdSec: door.unixSec(), status: 'queued', error: null } as const
    const response = Buffer.from(JSON.stringify(stored.encodeState(head, this.#echoOf(decoded))))
    const phase = backgroundJobs === null ? 'running' : 'waiting'
    const record = {
      id: members.id,
      owner: ownerOf(key),
      model,
      phase,
      input: joined.input,
      response,
      streamId: null,
    } as const
    const accepted: Accepted = { record, members, body: joined.body, isStream, desk }
    if (backgroundJobs === null) await this.#runHere(accepted)
    else await this.#submit(accepted, backgroundJobs)
    if (!isStream) exchange.answer(200, response)
    else followAnswer({ exchange, surface, stored, found: record, after: -1, bell: door.front.bell })
  }

  async #join(decoded: DecodedBody, desk: ResponseDesk, { previousId }: StateFacts) {
    const { door, key, stored } = this.#parts
    const earlier = previousId === null ? null : await desk.get(ownerOf(key), previousId)
    if (previousId !== null && earlier === null) throw stored.previousNotFound(previousId)
    const { maxBodyBytes } = door.front
    const whole = await recallItems(decoded, { stored, desk, owner: ownerOf(key), maxBytes: maxBodyBytes })
    return stored.joinTurns(whole, earlier, maxBodyBytes)
  }

  #echoOf({ json, body }: DecodedBody): JsonObject | null {
    return this.#parts.surface.readEcho?.(json ?? parseJsonBody(body)) ?? null
  }

  /** It waits and runs in this process, and ends with it. */
  async #runHere({ record, members, body, isStream, desk }: Accepted): Promise<void> {
    const { door, exchange, key, surface, stored } = this.#parts
    const { background, bell } = door.front
    const { backgroundCaps, reserve } = exchange.view
    const { requestId, head } = exchange
    const parameterHeaders = { ...head.parameterHeaders }
    const request = { requestId, surface, body, parameterHeaders, isStream, origin: exchange.origin }
    const answerRun = createAnswerRun({
      ...{ record, members, stored, desk, bell, request },
      // On the configuration that is current when it begins. A key that was removed meanwhile is not renewed.
      ground: () => {
        const { pipeline, keeping } = door.front.view
        return { pipeline, keeping, key: pipeline.renew(key), nowMs: door.front.now() }
      },
    })
    const room = reserve(key)
    const run = new BackgroundRun(answerRun, room)
    background.add(run, backgroundCaps)
    // What waits is held twice, as it is sent and as it is stored, and may wait for long.
    const refusal = room.grow(body.length + record.input.length) ?? (await desk.commit(record))
    if (refusal !== null) {
      room.release()
      background.remove(run)
      throw refusal
    }
    background.enqueue(run, backgroundCaps)
  }

  /** It waits in the job store, and runs wherever one of its runners has room. */
  async #submit({ record, members, body, isStream, desk }: Accepted, jobStore: BackgroundJobs): Promise<void> {
    const { exchange, surface } = this.#parts
    const { requestId, head, view } = exchange
    const context = {
      requestId,
      surfaceId: surface.id,
      members,
      isStream,
      parameterHeaders: { ...head.parameterHeaders },
    }
    const unstored = await desk.commit(record)
    if (unstored !== null) throw unstored
    const { id, owner } = record
    const request = asBuffer(body).toString('utf8')
    const { maxPendingPerKey: perKey, maxPending: all } = view.backgroundCaps
    try {
      const job = { id, kind: 'response', owner, request, context, webhookUrl: null, idempotency: null } as const
      const acceptance = await jobStore.accept(job, { perKey, all, stored: view.jobs.caps.stored })
      if (acceptance.kind !== 'accepted') throw refusalOf(acceptance)
    } catch (thrown) {
      // If the job was accepted all the same, its run finds no answer that waits for it.
      await desk.delete(owner, id)
      throw thrown
    }
  }
}

type Accepted = {
  readonly record: NewResponse
  readonly members: OwnMembers
  /** With the turns that it continues. */
  readonly body: Body
  readonly isStream: boolean
  readonly desk: ResponseDesk
}

type Refused = Exclude<Acceptance, { readonly kind: 'accepted' }>

function refusalOf(refused: Refused): GatewayError {
  if (refused.kind === 'full') return tooManyWait(refused.scope)
  // Without an idempotency key no job repeats another one.
  if (refused.kind !== 'no-room') return new GatewayError('internal')
  const isOwn = refused.scope === 'key'
  const message = `The job store has no room for this response (${isOwn ? 'jobs.maxStoredBytesPerKey' : 'jobs.maxStoredBytes'}).`
  return new GatewayError(isOwn ? 'rate_limited' : 'storage_full', { message, retryAfterMs: NO_ROOM_RETRY_AFTER_MS })
}

/** Space is freed when runs end. */
const NO_ROOM_RETRY_AFTER_MS = 60_000

/** The clock of answers, in whole seconds. */
export function unixSec(): number {
  return Math.floor(Date.now() / MS_PER_SEC)
}

function needsStore(): GatewayError {
  const message = 'A background response must be stored, and this gateway stores no responses (responses.store).'
  return new GatewayError('invalid_request', { message, param: MEMBER, ownCode: 'unsupported_parameter' })
}

function needsKeptStreams(): GatewayError {
  const message = 'This gateway keeps no streams (streams.resume), so a background response cannot be streamed.'
  return new GatewayError('invalid_request', { message, param: MEMBER, ownCode: 'unsupported_parameter' })
}

function notRepeated(): GatewayError {
  const message = 'A background response cannot have an Idempotency-Key.'
  return new GatewayError('invalid_request', { message, param: 'Idempotency-Key' })
}
