// Requests with an Idempotency-Key: each runs once. A repetition gets the whole answer that is stored, or reads the stream of the first
// one from its beginning, while it runs and for as long as it is kept.
//
//   key taken in this process, by a stream --> that stream          by another request --> 422
//   store.begin --new--> exchange             --answered--> the first answer again      --running: on another node--> 409
import { createHash } from 'node:crypto'
import { GatewayError } from '../../errors.js'
import { type DirectBeginning, type DirectRequest, type JobApi, type Lease } from '../../jobs/store.js'
import { type KeyIdentity } from '../../pipeline/client.js'
import { type HeaderList } from '../../pipeline/sink.js'
import { type Surface } from '../../protocols/contract/protocol.js'
import { ownerOf } from '../../streams/kept/readable-log.js'
import { type FoundKeyed, type SharingDesk } from '../context.js'
import { type HttpExchange } from '../http/http.js'
import { isKept, sharingRequestOf } from '../http/sharing-request.js'
import { IdempotentSink, type NotKeptReason } from './idempotent-sink.js'

/** A request with a key, and what remembers keys. */
export type OnceRequest = {
  readonly exchange: HttpExchange
  readonly key: KeyIdentity
  readonly door: {
    readonly desk: Pick<JobApi, 'begin' | 'storeAnswer' | 'forget'>
    readonly onNotKept: (reason: NotKeptReason) => void
  }
}

type Body = Uint8Array<ArrayBuffer>

const IDEMPOTENCY_KEY = /^[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?$/
/** Longer than any answer takes; only a process that has died holds a lease this long. */
const DIRECT_LEASE_MS = 15 * 60_000
const REPLAYED: HeaderList = Object.freeze([['idempotency-replayed', 'true'] as const])

/** Runs a request unless it has run before. Never rejects. */
export async function startOnce(asking: OnceRequest, surface: Surface | null, body: Body): Promise<void> {
  const { exchange, key } = asking
  try {
    if (surface === null) throw new GatewayError('internal')
    const idempotency = {
      key: checkedKey(exchange.head.idempotencyKey),
      digest: digestOf(`direct ${placeOf(exchange)}`, surface, body),
    }
    const once = new Once(asking, surface, { owner: ownerOf(key), idempotency })
    const found = once.findEarlier()
    // At once where it can be: two repetitions in one turn must not both find the key free.
    const earlier = found instanceof Promise ? await found : found
    if (earlier === 'mismatch') throw keyOfAnother()
    if (earlier === null) await once.run(body)
    else if (exchange.isOver) earlier.ended()
    else exchange.start(body, { desk: earlier })
  } catch (thrown) {
    exchange.reject(thrown)
  }
}

/** One request with a key. */
class Once {
  readonly #asking: OnceRequest
  readonly #surface: Surface
  readonly #request: DirectRequest
  #sink: IdempotentSink | null = null

  constructor(asking: OnceRequest, surface: Surface, request: DirectRequest) {
    this.#asking = asking
    this.#surface = surface
    this.#request = request
  }

  /** Of the stream that has the key in this process; null if none has. */
  findEarlier(): FoundKeyed | Promise<FoundKeyed> {
    const { exchange, key } = this.#asking
    const { key: idempotencyKey, digest: bodyDigest } = this.#request.idempotency
    const asking = sharingRequestOf(exchange, key, this.#surface)
    return exchange.view.sharing?.findKeyed(asking, { idempotencyKey, bodyDigest }) ?? null
  }

  /** Takes the key, here and in the store, and runs the request or answers it again. */
  async run(body: Body): Promise<void> {
    const { exchange, door } = this.#asking
    // Before the store answers, so that a repetition on this loop waits for this one.
    const desk = this.#openDesk()
    const beginning = await this.#begin(desk)
    if (beginning.kind === 'answered') {
      const { status, headers, body: text } = beginning.answer
      exchange.answer(status, Buffer.from(text), [...headers, ...REPLAYED])
    } else if (!exchange.isOver) this.#start(body, desk, beginning.lease)
    else {
      desk?.ended()
      await door.desk.forget(this.#request, beginning.lease)
    }
  }

  #openDesk(): SharingDesk | undefined {
    const { exchange, key } = this.#asking
    const { key: idempotencyKey, digest: bodyDigest } = this.#request.idempotency
    if (!isKept(exchange)) return undefined
    return exchange.view.sharing?.openKeyed(sharingRequestOf(exchange, key, this.#surface), {
      ...{ idempotencyKey, bodyDigest },
      onStream: () => {
        if (this.#sink !== null) this.#sink.holdsStream = true
      },
      onEnd: () => this.#sink?.letGo(),
    })
  }

  /** @throws invalid_request for a key that is taken; storage_unavailable, overloaded */
  async #begin(desk: SharingDesk | undefined): Promise<Extract<DirectBeginning, { kind: 'new' | 'answered' }>> {
    try {
      const beginning = await this.#asking.door.desk.begin(this.#request, DIRECT_LEASE_MS)
      if (beginning.kind === 'mismatch') throw keyOfAnother()
      if (beginning.kind === 'running') throw stillRunning()
      if (beginning.kind === 'answered') desk?.ended()
      return beginning
    } catch (thrown) {
      desk?.ended()
      throw thrown
    }
  }

  #start(body: Body, desk: SharingDesk | undefined, lease: Lease): void {
    const { exchange, door } = this.#asking
    const { caps, maxAnswerBytes } = exchange.view.jobs
    const keep = { desk: door.desk, request: this.#request, lease, onNotKept: door.onNotKept }
    const wrap = (sink: ConstructorParameters<typeof IdempotentSink>[0]): IdempotentSink => {
      const once = new IdempotentSink(sink, { ...keep, caps: caps.stored, maxAnswerBytes })
      this.#sink = once
      exchange.onLeave = () => {
        if (!once.holdsStream) once.letGo()
      }
      return once
    }
    exchange.start(body, { wrap, desk })
  }
}

/** On a path that specifies more than its surface, or with another key of the caller's own, the same body is a different request. */
function placeOf({ path }: HttpExchange): string {
  if (path === null) return ''
  const { streams, provider, callerKey, model } = path
  const whose = callerKey === null ? '' : ` ${createHash('sha256').update(callerKey).digest('base64url')}`
  const which = model === undefined ? '' : ` ${JSON.stringify(model)}`
  return `${streams} ${provider ?? ''}${whose}${which}`
}

/** Digest of everything that determines the answer, except the gateway key. */
export function digestOf(way: string, surface: Surface, body: Body): string {
  return createHash('sha256').update(`${way} ${surface.id} `).update(body).digest('base64url')
}

/** The client's key. @throws invalid_request if it is none */
export function checkedKey(key: string): string {
  if (IDEMPOTENCY_KEY.test(key)) return key
  const message = 'Idempotency-Key must be 1 to 255 visible ASCII characters.'
  throw new GatewayError('invalid_request', { message, param: 'Idempotency-Key' })
}

/** The error for a key that another request has. */
export function keyOfAnother(): GatewayError {
  const message = 'This Idempotency-Key was used for another request.'
  return new GatewayError('invalid_request', { status: 422, message, param: 'Idempotency-Key' })
}

function stillRunning(): GatewayError {
  const message = 'The first request with this Idempotency-Key is still running.'
  const answer = { status: 409, retryable: true, retryAfterMs: 1000 }
  return new GatewayError('invalid_request', { ...answer, message, param: 'Idempotency-Key' })
}
