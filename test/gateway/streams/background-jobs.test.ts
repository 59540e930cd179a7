import { test } from 'tap'
import { backgroundJobsOf, runsAsJobs } from '../../../src/gateway/streams/background-jobs.js'

const reach = (responses: string, jobs: string) =>
  ({ responses: { store: responses }, jobs: { store: jobs } }) as unknown as Parameters<typeof runsAsJobs>[0]

test('answers without clients are jobs where both stores survive the process, and reach the same nodes', (t) => {
  for (const [responses, jobs, are] of [
    ['memory', 'sqlite', false],
    ['memory', 'redis', false],
    ['off', 'sqlite', false],
    ['sqlite', 'sqlite', true],
    ['sqlite', 'redis', false],
    ['redis', 'redis', true],
    ['redis', 'sqlite', true],
  ] as const) {
    t.equal(runsAsJobs(reach(responses, jobs)), are, `${responses} ${jobs}`)
    const loop = { current: { config: reach(responses, jobs) }, jobs: { store: 'store' } }
    t.equal(backgroundJobsOf(loop as unknown as Parameters<typeof backgroundJobsOf>[0]), are ? 'store' : null)
  }
  t.end()
})
