// Answers without clients as jobs: where the store of answers survives this process, and the job store is reached by all who reach it.
import { type Config } from '../../config/types.js'
import { type JobStore } from '../../jobs/store.js'
import { type ResponseJobs } from '../../server/background/response-jobs.js'
import { type BackgroundJobs } from '../../server/context.js'
import { createKeeping } from '../../server/kept/kept-sink.js'
import { CLOCK } from '../clock.js'
import { keyOf } from '../jobs.js'
import { type Loop, STORED_SURFACE } from '../loop.js'
import { keepPolicy, linksOf } from './keep-policy.js'

/** A job that another node takes from Redis must find its answer there. */
export function runsAsJobs({ responses, jobs }: Pick<Config, 'responses' | 'jobs'>): boolean {
  return responses.store === 'redis' || (responses.store === 'sqlite' && jobs.store === 'sqlite')
}

/** Null: they run in the process that accepts them. */
export function backgroundJobsOf({ current, jobs }: Pick<Loop, 'current' | 'jobs'>): BackgroundJobs | null {
  return runsAsJobs(current.config) ? jobs.store : null
}

/** What a runner of them needs. */
export async function createResponseJobs(loop: Loop, store: JobStore): Promise<ResponseJobs> {
  const { ResponseJobs } = await import('../../server/background/response-jobs.js')
  return new ResponseJobs({
    ...{ store, bell: loop.bell, surface: STORED_SURFACE, nowMs: CLOCK.nowMs },
    view() {
      const { current, ground } = loop
      const { config, pipeline, responses } = current
      const policy = keepPolicy(current, linksOf(loop))
      const keeping = policy === null ? null : createKeeping(ground.keptStreams, policy)
      const { attempts, leaseMs } = config.jobs
      return {
        pipeline,
        desk: responses.desk,
        keeping,
        attempts,
        leaseMs,
        keyOf: (owner) => keyOf(config, ground.accounts, owner),
      }
    },
  })
}
