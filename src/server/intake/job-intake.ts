// Intake of bodies that become jobs (202), and of requests with an Idempotency-Key, which run once. All other requests pass after a
// quick check.
//
//   body --webhookUrl | Prefer: respond-async | asyncByDefault--> decode, check --> store.accept --> 202
//        '--Idempotency-Key--> store.begin --new--> exchange, its answer kept     --answered--> the first answer again
import { GatewayError } from '../../errors.js'
import { encodeAcceptance, jobSurface } from '../../jobs/job-json.js'
import { type JobApi, type NewJob } from '../../jobs/store.js'
import { type GuardPolicy, parseWebhookUrl } from '../../jobs/webhook/guard.js'
import { type KeyIdentity } from '../../pipeline/client.js'
import { type HeaderList } from '../../pipeline/sink.js'
import { type DecodedBody } from '../../protocols/contract/envelope.js'
import { type Surface } from '../../protocols/contract/protocol.js'
import { ownerOf } from '../../streams/kept/readable-log.js'
import { containsText } from '../../wire/body/find-text.js'
import { type Member, scanMembers, spliceMembers } from '../../wire/body/members.js'
import { asBuffer } from '../../wire/json.js'
import { refuseToken } from '../http/credentials.js'
import { type HttpExchange, type TakeBody } from '../http/http.js'
import { type NotKeptReason } from './idempotent-sink.js'
import { checkedKey, digestOf, keyOfAnother, startOnce } from './run-once.js'

/** What job intake needs from the other parts. */
export type JobIntake = {
  /** Whose chats may become jobs. */
  readonly surface: Surface
  readonly desk: JobApi
  /** Checks a body in the same way as for an exchange. */
  readonly decode: (surfaceId: string, body: Uint8Array<ArrayBuffer>) => DecodedBody | Promise<DecodedBody>
  readonly createJobId: () => string
  /** One line for the log. */
  readonly tell: (fields: object, message: string) => void
  /** A job was rejected because of the bytes that it would take in the store. */
  readonly onNoRoom: (scope: 'gateway' | 'key') => void
  /** An answer is not kept for repeated requests: it is too large, or the store does not accept it. */
  readonly onNotKept: (reason: NotKeptReason) => void
}

type Body = Uint8Array<ArrayBuffer>
type IntakeRequest = { readonly exchange: HttpExchange; readonly key: KeyIdentity; readonly door: JobIntake }

const WEBHOOK_MEMBER = 'webhookUrl'
const WEBHOOK_NAME = `"${WEBHOOK_MEMBER}"`
/** Members that are not stored: a job is never streamed, and its webhook is stored separately. */
const NOT_STORED = ['stream', 'stream_options', WEBHOOK_MEMBER]
/** A full queue has moved on by then. */
const FULL_RETRY_AFTER_MS = 5000
/** Space is freed when ended jobs pass their retention: minutes, not moments. */
const NO_ROOM_RETRY_AFTER_MS = 60_000
const PREFERENCE_APPLIED: HeaderList = Object.freeze([['preference-applied', 'respond-async'] as const])

/** Decides what happens to each body. */
export function createTakeBody(door: JobIntake): TakeBody {
  return function takeBody(exchange, body, key) {
    const asking = { exchange, key, door }
    // If the path specifies a stream or a provider, no body becomes a job.
    const mayBeJob = exchange.surface === door.surface && exchange.path === null
    if (mayBeJob && wantsJob(exchange, body)) void acceptJob(asking, body)
    else if (exchange.head.idempotencyKey !== '') void startOnce(asking, exchange.surface, body)
    else return false
    return true
  }
}

function wantsJob({ head, view }: HttpExchange, body: Body): boolean {
  if (head.prefer !== '' && prefersAsync(head.prefer)) return true
  if (view.jobs.isAsyncByDefault) {
    const members = scanMembers(body) ?? []
    return (
      !members.some((member) => member.key === 'stream' && parsedValue(body, member) === true) || hasWebhook(members)
    )
  }
  // The name may also occur in a text, so the body is parsed to be sure.
  return containsText(asBuffer(body), WEBHOOK_NAME) && hasWebhook(scanMembers(body) ?? [])
}

function hasWebhook(members: readonly Member[]): boolean {
  return members.some(({ key }) => key === WEBHOOK_MEMBER)
}

/** RFC 7240, section 4.1. */
function prefersAsync(header: string): boolean {
  return header.split(',').some((entry) => entry.split(';')[0]?.trim().toLowerCase() === 'respond-async')
}

/** Undefined for invalid JSON. */
function parsedValue(body: Body, { valueStart, valueEnd }: Member): unknown {
  try {
    return JSON.parse(Buffer.from(body.buffer).toString('utf8', valueStart, valueEnd))
  } catch {
    return undefined
  }
}

async function acceptJob(asking: IntakeRequest, body: Body): Promise<void> {
  const { exchange, key, door } = asking
  const { idempotencyKey, parameterHeaders, prefer } = exchange.head
  try {
    refuseToken(key)
    const digest = idempotencyKey === '' ? '' : digestOf('job', door.surface, body)
    const idempotency = idempotencyKey === '' ? null : { key: checkedKey(idempotencyKey), digest }
    const { caps, checkRoute, checkTokens, countRequest, webhook } = exchange.view.jobs
    const counting = countRequest(key)
    if (counting !== null) await counting
    const decoded = await door.decode(door.surface.id, body)
    checkRoute(key, decoded)
    checkTokens(key, decoded)
    const context = { parameterHeaders: { ...parameterHeaders } }
    const read = readJobBody(decoded, webhook)
    const job: NewJob = { id: door.createJobId(), kind: 'chat', owner: ownerOf(key), ...read, context, idempotency }
    const acceptance = await door.desk.accept(job, caps)
    if (acceptance.kind === 'mismatch') throw keyOfAnother()
    if (acceptance.kind === 'full') throw queueFull(acceptance.scope)
    if (acceptance.kind === 'no-room')
      throw noRoom(asking, { scope: acceptance.scope, bytes: Buffer.byteLength(job.request) })
    const id = acceptance.kind === 'repeated' ? acceptance.id : acceptance.job.id
    const { method, path, address, agent } = exchange.origin
    const origin = { method, path, address: address || null, agent: agent || null }
    const repeated = acceptance.kind === 'repeated'
    door.tell({ id: exchange.requestId, job: id, key: key.name, repeated, ...origin }, 'job accepted')
    const applied = prefersAsync(prefer) ? PREFERENCE_APPLIED : []
    const location = ['location', `${door.surface.routes[0]?.path ?? ''}/${id}`] as const
    exchange.answer(202, encodeAcceptance(acceptance), [location, ...applied])
  } catch (thrown) {
    exchange.reject(thrown, null, jobSurface(door.surface))
  }
}

/** @throws invalid_request for a webhook that may not be called */
function readJobBody({ body, members }: DecodedBody, policy: GuardPolicy): Pick<NewJob, 'request' | 'webhookUrl'> {
  const named = members.findLast(({ key }) => key === WEBHOOK_MEMBER)
  const value = named === undefined ? null : parsedValue(body, named)
  if (value !== null && typeof value !== 'string') throw noText()
  const webhookUrl = value === null ? null : parseWebhookUrl(value, policy).href
  const edits = new Map(NOT_STORED.map((name) => [name, undefined]))
  return { request: Buffer.from(spliceMembers(body, members, edits)).toString('utf8'), webhookUrl }
}

function noText(): GatewayError {
  return new GatewayError('invalid_request', { message: `${WEBHOOK_MEMBER} must be a string.`, param: WEBHOOK_MEMBER })
}

/** A key is at fault only for its own places in the queue. */
function queueFull(scope: 'key' | 'all'): GatewayError {
  const retryAfterMs = FULL_RETRY_AFTER_MS
  if (scope === 'all')
    return new GatewayError('overloaded', { message: 'The job queue is full (jobs.maxPending).', retryAfterMs })
  return new GatewayError('rate_limited', {
    message: 'Too many pending jobs for this key (jobs.maxPendingPerKey).',
    retryAfterMs,
  })
}

type Excess = { readonly scope: 'key' | 'all'; readonly bytes: number }

const TOO_LARGE_A_JOB = 'This request alone exceeds jobs.maxStoredBytesPerKey or jobs.maxStoredBytes.'

/** Space is freed when ended jobs pass their retention, or when jobs are cancelled. */
function noRoom({ exchange, door }: IntakeRequest, { scope, bytes }: Excess): GatewayError {
  const { perKey, all } = exchange.view.jobs.caps.stored
  const retryAfterMs = NO_ROOM_RETRY_AFTER_MS
  door.onNoRoom(scope === 'key' ? 'key' : 'gateway')
  const message =
    scope === 'key'
      ? `The jobs and kept answers of this key may take ${perKey} bytes (jobs.maxStoredBytesPerKey). Cancel pending jobs, or try again when earlier ones have passed jobs.retentionMs.`
      : `The job store is limited to ${all} bytes (jobs.maxStoredBytes) and has no room for this job. Try again later.`
  // Waiting does not help.
  if (bytes > Math.min(perKey, all)) return new GatewayError('payload_too_large', { message: TOO_LARGE_A_JOB })
  return new GatewayError(scope === 'key' ? 'rate_limited' : 'storage_full', { message, retryAfterMs })
}
