// The metrics of jobs, of their webhooks and of Redis. The gauges of jobs are told by one event loop, and are not there as
// long as nothing uses the store.
import {
  CELLS_PER_REDIS_STATE,
  DELIVERY_STATES,
  JOB_RUN_RESULTS,
  JOB_STATES,
  type Layout,
  NOT_KEPT_REASONS,
  OTHER,
  REDIS_USES,
  STORED_KINDS,
  WEBHOOK_RESULTS,
} from './layout.js'
import { at, type Family, histogramSeries, touched } from './series.js'

/** Jobs by state, their runs, and webhooks. */
export function jobFamilies(layout: Layout): Family[] {
  const first = layout.jobs + 1
  const age = first + JOB_STATES.length
  const stored = age + 1 + DELIVERY_STATES.length
  const gauge = (name: string, help: string, series: Family['series']): Family => {
    return {
      name,
      help,
      type: 'gauge',
      series: (totals) => (at(totals.fixed, layout.jobs) === 0 ? [] : series(totals)),
    }
  }
  return [
    gauge('sluice_jobs', 'Jobs in the store, by state.', ({ fixed }) =>
      JOB_STATES.map((state, i) => ({ labels: { state }, value: at(fixed, first + i) })),
    ),
    gauge('sluice_jobs_queue_age_seconds', 'How long the job has waited that has waited longest.', ({ fixed }) => [
      { labels: {}, value: at(fixed, age) },
    ]),
    gauge('sluice_webhooks_waiting', 'Webhooks that are still to be sent (due) or were given up (dead).', ({ fixed }) =>
      DELIVERY_STATES.map((state, i) => ({ labels: { state }, value: at(fixed, age + 1 + i) })),
    ),
    gauge(
      'sluice_stored_bytes',
      'Bytes that the job store keeps: of jobs, or of answers by Idempotency-Key.',
      (totals) => STORED_KINDS.map((kind, i) => ({ labels: { kind }, value: at(totals.fixed, stored + i) })),
    ),
    {
      name: 'sluice_answers_not_kept_total',
      help: 'Answers with an Idempotency-Key that are not kept: too large (size), or not taken by the store.',
      type: 'counter',
      series: ({ fixed }) =>
        touched(NOT_KEPT_REASONS, { fixed, first: layout.answersNotKept }, (reason) => ({ reason })),
    },
    {
      name: 'sluice_job_runs_total',
      help: 'Runs of jobs that are over, by result.',
      type: 'counter',
      series: ({ fixed }) => touched(JOB_RUN_RESULTS, { fixed, first: layout.jobRuns }, (result) => ({ result })),
    },
    {
      name: 'sluice_webhook_attempts_total',
      help: 'Attempts to deliver a webhook, by result.',
      type: 'counter',
      series: ({ fixed }) => touched(WEBHOOK_RESULTS, { fixed, first: layout.webhooks }, (result) => ({ result })),
    },
  ]
}

/** The state of the connections to Redis, and the time of calls. */
export function redisFamilies(layout: Layout): Family[] {
  const seconds = 'sluice_redis_seconds'
  return [
    {
      name: 'sluice_redis_up',
      help: '1 while every event loop reaches Redis, else 0.',
      type: 'gauge',
      series: ({ fixed }) =>
        REDIS_USES.flatMap((use, i) => {
          const told = layout.redisStates + i * CELLS_PER_REDIS_STATE
          return at(fixed, told) === 0 ? [] : [{ labels: { use }, value: at(fixed, told + 1) === 0 ? 1 : 0 }]
        }),
    },
    {
      name: seconds,
      help: 'Time of a call to Redis.',
      type: 'histogram',
      series: ({ fixed }) =>
        layout.redisSeconds.flatMap((place, i) =>
          histogramSeries(seconds, { row: fixed, place, labels: { use: REDIS_USES[i] ?? OTHER } }),
        ),
    },
    {
      name: 'sluice_redis_failures_total',
      help: 'Calls to Redis that failed or took too long.',
      type: 'counter',
      series: ({ fixed }) => touched(REDIS_USES, { fixed, first: layout.redisFailures }, (use) => ({ use })),
    },
  ]
}
