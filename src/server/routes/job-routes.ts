// The routes of jobs: the status of a job, a page of the caller's jobs, and cancellation. A job of another key is answered like one
// that does not exist.
import { errorData, GatewayError } from '../../errors.js'
import { encodeCancelled, encodeJob, encodeJobList, jobSurface } from '../../jobs/job-json.js'
import { JOB_STATES, type Job, type JobState } from '../../jobs/store.js'
import { type KeyIdentity } from '../../pipeline/client.js'
import { ownerOf } from '../../streams/kept/readable-log.js'
import { authenticateKey } from '../http/credentials.js'
import { type Act, type HttpExchange } from '../http/http.js'
import { type JobIntake } from '../intake/job-intake.js'

const DEFAULT_PAGE = 20
const MAX_PAGE = 100

/** Answers the status of a job; `prefix` is the path before its id. */
export function answerJob(door: JobIntake, prefix: string): Act {
  return (exchange, req) => {
    const id = req.getUrl().slice(prefix.length)
    run(door, exchange, async (key) => exchange.answer(200, encodeJob(await find(door, key, id))))
  }
}

/** Cancels a job: removes a waiting one, aborts a running one. */
export function cancelJob(door: JobIntake, prefix: string): Act {
  return (exchange, req) => {
    const id = req.getUrl().slice(prefix.length)
    run(door, exchange, async (key) => {
      const job = await find(door, key, id)
      const cancelled = await door.desk.cancel(id, errorData('client_gone', { message: 'The job was cancelled.' }))
      if (cancelled === null) throw hasEnded(job)
      door.tell({ id: exchange.requestId, job: id, key: key.name }, 'job cancelled')
      exchange.answer(200, encodeCancelled(id))
    })
  }
}

/** Lists the caller's jobs: `?status=&limit=&after=`. */
export function answerJobs(door: JobIntake): Act {
  return (exchange, req) => {
    const [status, limit, after] = ['status', 'limit', 'after'].map((name) => req.getQuery(name) ?? '')
    run(door, exchange, async (key) => {
      const count = readLimit(limit ?? '')
      const query = {
        owner: ownerOf(key),
        state: readState(status ?? ''),
        after: after === '' ? null : (after ?? null),
      }
      const jobs = await door.desk.list({ ...query, limit: count + 1 })
      exchange.answer(200, encodeJobList(jobs.slice(0, count), jobs.length > count))
    })
  }
}

/** Anything thrown is answered in the form of the job routes. */
function run(door: JobIntake, exchange: HttpExchange, act: (key: KeyIdentity) => Promise<void>): void {
  const key = authenticateKey(exchange)
  act(key).catch((thrown: unknown) => exchange.reject(thrown, null, jobSurface(door.surface)))
}

async function find({ desk }: JobIntake, key: KeyIdentity, id: string): Promise<Job> {
  const job = await desk.get(id)
  if (job?.kind !== 'chat' || job.owner !== ownerOf(key)) throw new GatewayError('not_found')
  return job
}

function readState(text: string): JobState | null {
  if (text === '') return null
  const state = JOB_STATES.find((each) => each === text)
  if (state !== undefined) return state
  throw invalid('status', `must be one of ${JOB_STATES.join(', ')}.`)
}

function readLimit(text: string): number {
  if (text === '') return DEFAULT_PAGE
  const limit = /^\d{1,3}$/.test(text) ? Number(text) : 0
  if (limit >= 1 && limit <= MAX_PAGE) return limit
  throw invalid('limit', `must be a number from 1 to ${MAX_PAGE}.`)
}

function invalid(param: string, what: string): GatewayError {
  return new GatewayError('invalid_request', { message: `${param} ${what}`, param })
}

function hasEnded({ id, state }: Job): GatewayError {
  return new GatewayError('invalid_request', { status: 409, message: `Job ${id} has already ended (${state}).` })
}
