// The job store for several nodes: jobs in Redis, every call one atomic step of one script (resources/lua/jobs). A queue library
// would be a second source of truth; docs/decisions lists what was tried. The AOF setting of Redis decides what survives its crash.
import { errorData, GatewayError } from '../../errors.js'
import { type ErrorData } from '../../model/error.js'
import { type JsonObject } from '../../model/json.js'
import { RedisConnection, type RedisScript } from '../../redis/connection.js'
import { readScript } from '../../redis/read-script.js'
import { originOf } from '../sqlite/deliveries.js'
import {
  type Acceptance,
  type ClaimedJob,
  type DeliveryState,
  type DirectBeginning,
  type Heir,
  type Job,
  type JobCaps,
  type JobHead,
  type JobKind,
  type JobState,
  type JobStore,
  MAX_BATCH,
  type NewJob,
  type StoredAnswer,
  type StoreEvent,
} from '../store.js'

export type RedisStoreOptions = {
  readonly url: string
  /** Before all keys; holds a hash tag, so that a cluster keeps them together. */
  readonly prefix?: string
  readonly onChange?: (isUp: boolean) => void
  readonly onCall?: (seconds: number, isOk: boolean) => void
  /** Keys whose owners adopt what earlier versions kept under their names; absent: none, or another event loop sees to it. */
  readonly heirs?: readonly Heir[]
  /** Added to the server's clock: for tests that move time. */
  readonly clockOffsetMs?: () => number
}

const PREFIX = '{sluice}:jobs:'
const SCRIPT = Object.freeze(['jobs/ground', 'jobs/desk', 'jobs/queue', 'jobs/call'])
/** Fields of a head, in the order in which the script is to return them. */
const HEAD_FIELDS = [
  ...['id', 'kind', 'owner', 'state', 'context', 'url', 'attempts', 'accepted', 'changed', 'cost', 'error'],
  ...['dstate', 'dattempts', 'derror'],
] as const
const HEAD_ARGUMENT = HEAD_FIELDS.join(' ')
const RETRY_AFTER_MS = 1000
const UNBOUNDED = Object.freeze({ perKey: Number.MAX_SAFE_INTEGER, all: Number.MAX_SAFE_INTEGER })
/** Errors of Redis that last until an operator acts: foreign keys under our prefix, missing permissions (the text depends on the version), no snapshot. */
const LASTING = /\b(?:WRONGTYPE|NOPERM|NOAUTH|WRONGPASS|MISCONF|ACL failure|can't run this command)\b/
/** Numbers before those of bytes in the answer of `counts`. */
const COUNTS_OF_STATES = 7
/** Every run lost with its node. */
const LOST_RUNS = 'Every attempt was interrupted before it finished.'

type HeadReply = readonly (string | null)[]
type JobReply = readonly [head: HeadReply, request: string, answer: string]
type ClaimReply = readonly [...JobReply, fence: string | number, extra: string]
type Ask = (name: string, ...args: readonly (string | number)[]) => Promise<unknown>

/** `connected` resolves when the first try to connect has come to its end, well or not. */
export type RedisStore = JobStore & { readonly connected: Promise<void> }

/** Opens the store. It does not wait for Redis: calls fail with 503 until there is a connection, and while there is none. */
export function openRedisStore(options: RedisStoreOptions): RedisStore {
  const prefix = options.prefix ?? PREFIX
  const { url, onChange, onCall } = options
  const hooks = { ...(onChange === undefined ? {} : { onChange }), ...(onCall === undefined ? {} : { onCall }) }
  const connection = new RedisConnection({ url, ...hooks })
  const listeners = new Set<(event: StoreEvent) => void>()
  const tell = (event: StoreEvent): void => {
    for (const listener of listeners) listener(event)
  }
  connection.listen(
    `${prefix}events`,
    (message) => tell(eventOf(message)),
    // Events published before were missed.
    () => {
      tell({ type: 'work' })
      tell({ type: 'delivery' })
    },
  )
  const script = connection.script(readScript(SCRIPT))
  const ask: Ask = (name, ...args) =>
    askScript(script, [prefix, options.clockOffsetMs?.() ?? 0, HEAD_ARGUMENT, name, ...args])
  return {
    connected: connection
      .connect()
      .then(() => adopt(ask, options.heirs ?? []))
      .catch(() => undefined),
    ...createDesk(ask),
    ...createQueue(ask),
    ...createDeliveries(ask),
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async close() {
      connection.close()
    },
  }
}

/** Nothing is lost by a call that fails: the next start goes on. */
async function adopt(ask: Ask, heirs: readonly Heir[]): Promise<void> {
  for (const { name, owner } of heirs) {
    while (Number(await ask('adopt', name, owner)) === MAX_BATCH);
  }
}

function createDesk(ask: Ask) {
  return {
    async accept(job: NewJob, { perKey, all, stored = UNBOUNDED }: JobCaps = UNBOUNDED): Promise<Acceptance> {
      const { id, kind, context, webhookUrl, idempotency } = job
      const url = webhookUrl ?? ''
      const fields = [id, kind, job.owner, JSON.stringify(context), url, url === '' ? '' : originOf(url)]
      const repeat = [idempotency?.key ?? '', idempotency?.digest ?? '']
      return acceptanceOf(
        (await ask('accept', ...fields, ...repeat, job.request, perKey, all, stored.perKey, stored.all)) as AcceptReply,
      )
    },
    async get(id: string): Promise<Job | null> {
      const reply = (await ask('get', id)) as JobReply | null
      return reply === null ? null : jobOf(reply)
    },
    async list({ owner, state, limit, after }: Parameters<JobStore['list']>[0]): Promise<JobHead[]> {
      const reply = await ask('list', owner, state ?? '', Math.min(limit, MAX_BATCH), after ?? '')
      return (reply as HeadReply[]).map(headOf)
    },
    async cancel(id: string, error: ErrorData) {
      return (await ask('cancel', id, JSON.stringify(error))) as 'removed' | 'ended' | null
    },
    async remove(id: string) {
      return isDone(await ask('remove', id))
    },
    async begin(...[{ owner, idempotency }, leaseMs]: Parameters<JobStore['begin']>): Promise<DirectBeginning> {
      const reply = await ask('begin', owner, idempotency.key, idempotency.digest, leaseMs)
      const [kind, value] = reply as readonly [DirectBeginning['kind'], string]
      if (kind === 'new') return { kind, lease: { id: idempotency.key, fence: Number(value) } }
      return kind === 'answered' ? { kind, answer: JSON.parse(value) as StoredAnswer } : { kind }
    },
    async storeAnswer(...[request, lease, answer, caps = UNBOUNDED]: Parameters<JobStore['storeAnswer']>) {
      const { owner, idempotency } = request
      const entry = [owner, idempotency.key, lease.fence, JSON.stringify(answer)]
      return isDone(await ask('storeAnswer', ...entry, caps.perKey, caps.all))
    },
    async forget(...[{ owner, idempotency }, lease]: Parameters<JobStore['forget']>) {
      return isDone(await ask('forget', owner, idempotency.key, lease.fence))
    },
    async counts() {
      const numbers = ((await ask('counts')) as unknown[]).map(Number)
      const [pending = 0, processing = 0, completed = 0, error = 0, queueAgeMs = 0, due = 0, dead = 0] = numbers
      const [storedJobs = 0, storedAnswers = 0] = numbers.slice(COUNTS_OF_STATES)
      const storedBytes = { jobs: storedJobs, answers: storedAnswers }
      return { jobs: { pending, processing, completed, error }, queueAgeMs, deliveries: { due, dead }, storedBytes }
    },
  } satisfies Partial<JobStore>
}

function createQueue(ask: Ask) {
  return {
    async claim({ kind, limit, leaseMs, maxAttempts }: Parameters<JobStore['claim']>[0]): Promise<ClaimedJob[]> {
      const lost = JSON.stringify(errorData('internal', { message: LOST_RUNS }))
      const reply = await ask('claim', kind, Math.min(limit, MAX_BATCH), leaseMs, maxAttempts, lost)
      return (reply as ClaimReply[]).map(([head, request, answer, fence, spent]) => {
        const job = jobOf([head, request, answer])
        return { job, lease: { id: job.id, fence: Number(fence) }, spentMs: Number(spent) }
      })
    },
    async renew(...[{ id, fence }, leaseMs]: Parameters<JobStore['renew']>) {
      return isDone(await ask('renew', id, fence, leaseMs))
    },
    async complete(...[{ id, fence }, answer, costNano]: Parameters<JobStore['complete']>) {
      return isDone(await ask('complete', id, fence, answer, costNano ?? ''))
    },
    async fail(...[{ id, fence }, error, costNano]: Parameters<JobStore['fail']>) {
      return isDone(await ask('fail', id, fence, JSON.stringify(error), costNano ?? ''))
    },
    async discard({ id, fence }: Parameters<JobStore['discard']>[0]) {
      return isDone(await ask('discard', id, fence))
    },
    async retry(...[{ id, fence }, options]: Parameters<JobStore['retry']>) {
      const { delayMs, error, spentMs, costNano, isUncounted = false } = options
      const run = [Math.ceil(delayMs), JSON.stringify(error), spentMs, isUncounted ? 1 : 0, costNano ?? '']
      return isDone(await ask('retry', id, fence, ...run))
    },
    async release(...[{ id, fence }, costNano]: Parameters<JobStore['release']>) {
      return isDone(await ask('release', id, fence, costNano ?? ''))
    },
    async cleanUp(retentionMs: number) {
      return Number(await ask('cleanUp', retentionMs))
    },
  } satisfies Partial<JobStore>
}

function createDeliveries(ask: Ask) {
  return {
    async claimDeliveries(...[options]: Parameters<JobStore['claimDeliveries']>) {
      const { limit, leaseMs, perOrigin, exceptOrigins } = options
      const reply = await ask('claimDeliveries', limit, leaseMs, perOrigin, JSON.stringify(exceptOrigins))
      return (reply as ClaimReply[]).map(([head, request, answer, fence, endedAt]) => {
        const job = jobOf([head, request, answer])
        const { url, attempts } = job.webhook ?? { url: '', attempts: 0 }
        return { job, url, lease: { id: job.id, fence: Number(fence) }, attempts, endedAtMs: Number(endedAt) }
      })
    },
    async settleDelivery(...[{ id, fence }, result]: Parameters<JobStore['settleDelivery']>) {
      const delayMs = result.kind === 'retry' ? Math.ceil(result.delayMs) : 0
      const error = result.kind === 'delivered' ? '' : result.error
      return isDone(await ask('settleDelivery', id, fence, result.kind, delayMs, error))
    },
  } satisfies Partial<JobStore>
}

async function askScript(script: RedisScript, args: readonly (string | number)[]): Promise<unknown> {
  try {
    return await script([], args)
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : ''
    // maxmemory reached under noeviction, or a full disk for the append-only file.
    if (/^OOM |No space left/.test(text)) throw new GatewayError('storage_full', { cause })
    const lasting = LASTING.exec(text)?.[0]
    if (lasting !== undefined) {
      const message = `The job store in Redis is unusable (${lasting}). See the gateway's log.`
      throw new GatewayError('storage_unavailable', { message, cause })
    }
    if (text.startsWith('ERR ')) throw new GatewayError('internal', { cause })
    throw new GatewayError('overloaded', {
      ...{ message: 'The job store is unreachable.', retryAfterMs: RETRY_AFTER_MS, cause },
    })
  }
}

type AcceptReply = readonly [
  kind: Acceptance['kind'],
  id: string,
  place: number,
  active: number,
  head: HeadReply | null,
]

function acceptanceOf([kind, id, place, active, head]: AcceptReply): Acceptance {
  const job = head === null || head === undefined ? null : headOf(head)
  const counts = { queuePosition: Number(place), activeRequests: Number(active) }
  if (kind === 'accepted' && job !== null) return { kind, job, ...counts }
  if (kind === 'full' || kind === 'no-room') return { kind, scope: id === 'key' ? 'key' : 'all' }
  return kind === 'repeated' ? { kind, id, job, ...counts } : { kind: 'mismatch' }
}

function headOf(reply: HeadReply): JobHead {
  const field = (name: (typeof HEAD_FIELDS)[number]): string => reply[HEAD_FIELDS.indexOf(name)] ?? ''
  const url = field('url')
  const state = (field('dstate') || 'waiting') as DeliveryState
  const webhook = { url, state, attempts: Number(field('dattempts')), lastError: field('derror') || null }
  return {
    id: field('id'),
    // Jobs of earlier versions say nothing of it.
    kind: (field('kind') || 'chat') as JobKind,
    owner: field('owner'),
    state: field('state') as JobState,
    context: JSON.parse(field('context')) as JsonObject,
    attempts: Number(field('attempts')),
    acceptedAtMs: Number(field('accepted')),
    changedAtMs: Number(field('changed')),
    costNano: field('cost') === '' ? null : Number(field('cost')),
    error: field('error') === '' ? null : (JSON.parse(field('error')) as ErrorData),
    webhook: url === '' ? null : webhook,
  }
}

function jobOf([head, request, answer]: JobReply): Job {
  return { ...headOf(head), request, answer: answer === '' ? null : answer }
}

function isDone(reply: unknown): boolean {
  return Number(reply) === 1
}

function eventOf(message: string): StoreEvent {
  const [type, id = ''] = message.split(' ')
  if (type === 'cancelled') return { type, id }
  return { type: type === 'delivery' ? 'delivery' : 'work' }
}
