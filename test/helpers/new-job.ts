// A job as tests need one. In a file of its own: processes that are started by the dozen load it.
import { type NewJob } from '../../src/jobs/store.js'

/** Ids are unique within a store. */
export function newJob(id: string, over: Partial<NewJob> = {}): NewJob {
  const request = JSON.stringify({ model: 'm', id })
  return {
    id,
    kind: 'chat',
    owner: 'team-a',
    request,
    context: { requestId: `r-${id}` },
    webhookUrl: null,
    idempotency: null,
    ...over,
  }
}
