// Takes requests that run without their client: each is checked like any other, stored as `queued` and answered at once, or with a stream
// that goes on when its client leaves.
import { GatewayError } from '../../errors.js'
import { type JsonObject } from '../../model/json.js'
import { type ClientRequest, type KeyIdentity, type OwnAnswer } from '../../pipeline/client.js'
import { type Sink } from '../../pipeline/sink.js'
import { type DecodedBody } from '../../protocols/contract/envelope.js'
import { type Surface } from '../../protocols/contract/protocol.js'
import { type StateFacts, type StoredAnswers } from '../../protocols/contract/stored.js'
import { type ResponseDesk } from '../../responses/response-desk.js'
import { ownerOf } from '../../streams/kept/readable-log.js'
import { containsText } from '../../wire/body/find-text.js'
import { scanMembers } from '../../wire/body/members.js'
import { asBuffer, parseJsonBody } from '../../wire/json.js'
import { type HoldingSink, type ServerContext } from '../context.js'
import { type HttpExchange, type TakeBody } from '../http/http.js'
import { asksToKeep } from '../http/sharing-request.js'
import { BackgroundRun } from './background-run.js'

export type BackgroundDoor = {
  readonly front: Pick<ServerContext, 'background' | 'view' | 'now' | 'maxBodyBytes'>
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

  /** @throws invalid_request, rate_limited, overloaded, model_not_found, storage_unavailable */
  async accept(body: Body): Promise<void> {
    const { door, exchange, key, surface, stored } = this.#parts
    const { jobs, responses, backgroundCaps } = exchange.view
    const { background } = door.front
    if (exchange.head.idempotencyKey !== '') throw notRepeated()
    const counting = jobs.countRequest(key)
    if (counting !== null) await counting
    const decoded = await door.decode(surface.id, body)
    const { desk } = responses
    const { state } = decoded.facts
    if (desk === null || state === undefined) throw needsStore()
    jobs.checkRoute(key, decoded)
    jobs.checkTokens(key, decoded)
    const joined = await this.#join(decoded, desk, state)
    const room = exchange.view.reserve(key)
    const members = stored.ownMembers(stored.encodeId(responses.ids.create()), state, true)
    const { stream: isStream, model } = decoded.facts
    const sink = isStream ? this.#keepStream() : NO_CLIENT
    const run = new BackgroundRun({
      ...{ members, owner: ownerOf(key), model, createdSec: door.unixSec(), input: joined.input, stored, desk },
      echo: this.#echoOf(decoded),
      room,
      start: (own) => this.#start(joined.body, sink, own),
      stopStream: () => (sink as Partial<HoldingSink>).stop?.(),
      refuse: (error) => void (isStream && !exchange.isOver && exchange.reject(error)),
    })
    background.add(run, backgroundCaps)
    // What waits is held twice, as it is sent and as it is stored, and may wait for long.
    const refusal = room.grow(joined.body.length + joined.input.length) ?? (await run.accept())
    if (refusal !== null) {
      room.release()
      background.remove(run)
      throw refusal
    }
    if (!isStream) exchange.answer(200, run.show('queued'))
    background.enqueue(run, backgroundCaps)
  }

  async #join(decoded: DecodedBody, desk: ResponseDesk, { previousId }: StateFacts) {
    const { door, key, stored } = this.#parts
    const earlier = previousId === null ? null : await desk.get(ownerOf(key), previousId)
    if (previousId !== null && earlier === null) throw stored.previousNotFound(previousId)
    return stored.joinTurns(decoded, earlier, door.front.maxBodyBytes)
  }

  #echoOf({ json, body }: DecodedBody): JsonObject | null {
    return this.#parts.surface.readEcho?.(json ?? parseJsonBody(body)) ?? null
  }

  /** A stream that nobody has to read. */
  #keepStream(): HoldingSink {
    const { exchange, key, surface } = this.#parts
    const { keeping } = exchange.view
    if (keeping === null) throw needsKeptStreams()
    const { requestId, clientSink } = exchange
    return keeping.keep(clientSink, {
      key,
      surfaceId: surface.id,
      requestId,
      hasIds: asksToKeep(exchange.head),
      isLasting: true,
    })
  }

  /** On the configuration that is current when it begins. @throws unauthenticated for a key that was removed meanwhile */
  #start(body: Body, sink: Sink, own: OwnAnswer) {
    const { door, exchange, key, surface } = this.#parts
    const { pipeline } = door.front.view
    const { requestId, origin, head } = exchange
    const request: ClientRequest = {
      ...{ requestId, surface, key: pipeline.renew(key), body, parameterHeaders: { ...head.parameterHeaders } },
      ...{ acceptedAtMs: door.front.now(), origin, isCounted: true, own },
    }
    const handle = pipeline.start(request, sink)
    ;(sink as Partial<HoldingSink>).hold?.(handle)
    return handle
  }
}

/** The client has its answer, and comes back to the store. */
const NO_CLIENT: Sink = Object.freeze({
  transport: 'json',
  reply: () => undefined,
  begin: () => undefined,
  keepalive: () => undefined,
  follow: (_attach: unknown, onDone: Parameters<Sink['follow']>[1]) => onDone({ result: 'client_gone', bytes: 0 }),
})

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
