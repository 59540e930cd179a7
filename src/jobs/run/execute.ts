// The sink of a job: the pipeline answers it like any client, so limits, metrics, log and outcome of a job are those of a request.
// A job is never streamed: `stream` is removed from its request when it is accepted.
import { GatewayError } from '../../errors.js'
import { type KeyIdentity, type Pipeline } from '../../pipeline/client.js'
import { type Sink } from '../../pipeline/sink.js'
import { type Surface } from '../../protocols/contract/protocol.js'
import { type Job } from '../store.js'
import { type Execute } from './job-run.js'

export type ExecuteOptions = {
  readonly pipeline: Pick<Pipeline, 'start'>
  /** Whose form request and answer have. */
  readonly surface: Surface
  /** The key of a job, by its owner; null if that key no longer exists. */
  readonly keyOf: (owner: string) => KeyIdentity | null
  /** Monotonic milliseconds, the pipeline's own. */
  readonly nowMs: () => number
}

/** The context that is stored with a job when it is accepted. */
export type JobContext = {
  readonly requestId: string
  readonly parameterHeaders: Readonly<Record<string, string>>
}

/** The result of a job's exchange: the answer's JSON text, or the thrown error. */
type Settlers = {
  readonly resolve: (answer: string) => void
  readonly reject: (error: GatewayError) => void
  readonly onCost: (nano: number) => void
}

/** Executes jobs by exchanges of the pipeline; an abort cancels the exchange, and with it the upstream. */
export function createExecute({ pipeline, surface, keyOf, nowMs }: ExecuteOptions): Execute {
  return (job, signal, onCost) => {
    const key = keyOf(job.owner)
    if (key === null) return Promise.reject(new GatewayError('forbidden', { message: KEY_GONE }))
    const { requestId, parameterHeaders } = contextOf(job)
    const body = exactBytes(job.request)
    return new Promise((resolve, reject) => {
      const request = { requestId, surface, key, body, parameterHeaders, acceptedAtMs: nowMs(), isCounted: true }
      const exchange = pipeline.start(request, createJobSink({ resolve, reject, onCost }))
      signal.addEventListener('abort', () => exchange.cancel(), { once: true })
    })
  }
}

const KEY_GONE = 'The API key that submitted this job is no longer configured.'

function createJobSink({ resolve, reject, onCost }: Settlers): Sink {
  return {
    transport: 'json',
    reply({ error, body }, costNano = null) {
      if (costNano !== null) onCost(costNano)
      if (error !== null) reject(GatewayError.of(error))
      else resolve(new TextDecoder().decode(body))
    },
    // A request that streams nevertheless has no reader.
    begin: () => reject(new GatewayError('internal')),
    keepalive: () => undefined,
    follow: (_attach, onDone) => onDone({ result: 'client_gone', bytes: 0 }),
  }
}

function contextOf({ id, context }: Job): JobContext {
  const { requestId, parameterHeaders } = context as Partial<JobContext>
  return { requestId: requestId ?? id, parameterHeaders: parameterHeaders ?? {} }
}

/** In a buffer of their own, as the pipeline wants them. */
function exactBytes(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new TextEncoder().encode(text))
}
