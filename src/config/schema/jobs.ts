// Asynchronous jobs and their webhooks: `jobs` of the configuration file.
import { Type } from 'typebox'
import {
  DAY_MS,
  GIB,
  HOUR_MS,
  integer,
  KIB,
  MAX_BUDGET_BYTES,
  MIB,
  MINUTE_MS,
  nullable,
  ReachFields,
  section,
  text,
} from './parts.js'

/** The form of Standard Webhooks with at least 16 bytes, or any other text of at least 16 characters. */
const WEBHOOK_SECRET_PATTERN =
  '^(?:whsec_(?:[A-Za-z0-9+/]{4}){5,}(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)|(?!whsec_).{16,})$'

/** Shorter secrets can be guessed; an empty one lets anyone forge a call (new-api CVE-2026-41432). */
function webhookSecret(description: string) {
  const expects = 'a secret of 16 characters or more, or whsec_ with 16 bytes or more in base64'
  return nullable(Type.String({ pattern: WEBHOOK_SECRET_PATTERN, expects }), description)
}

export const Jobs = section('Asynchronous jobs.', {
  store: Type.Enum(['sqlite', 'redis'], { default: 'sqlite', description: 'Where jobs are stored.' }),
  path: text('./data/jobs.db', 'Database file of the sqlite store; created with the first job.'),
  concurrency: integer({ minimum: 1, maximum: 10_000 }, 2, 'Maximum number of jobs that this process runs at once.'),
  retentionMs: integer({ minimum: 1000, maximum: 365 * DAY_MS }, HOUR_MS, 'How long a finished job is kept, in ms.'),
  attempts: integer({ minimum: 1, maximum: 100 }, 3, 'Attempts after which a job fails.'),
  timeoutMs: integer(
    { minimum: 100, maximum: DAY_MS },
    10 * MINUTE_MS,
    'Longest running time of a job, over all of its attempts, in ms.',
  ),
  leaseMs: integer(
    { minimum: 1000, maximum: HOUR_MS },
    30_000,
    'How long a running job stays with a gateway that has stopped renewing its lease before another may run it, in ms.',
  ),
  maxPendingPerKey: integer(
    { minimum: 1, maximum: 10_000_000 },
    10_000,
    'Maximum number of waiting jobs of one gateway key; further ones get 429.',
  ),
  maxPending: integer(
    { minimum: 1, maximum: 10_000_000 },
    100_000,
    'Maximum number of waiting jobs; further ones get 503.',
  ),
  maxStoredBytesPerKey: integer(
    { minimum: KIB, maximum: MAX_BUDGET_BYTES },
    256 * MIB,
    'Storage for the jobs of one gateway key and its answers kept by Idempotency-Key, in bytes; a job that exceeds it gets 429.',
  ),
  maxStoredBytes: integer(
    { minimum: KIB, maximum: MAX_BUDGET_BYTES },
    GIB,
    'The same for all keys together; a job that exceeds it gets 507.',
  ),
  maxAnswerBytes: integer(
    { minimum: 0, maximum: GIB },
    MIB,
    'Largest answer kept by Idempotency-Key, in bytes; a larger one is not kept, and a repeated request runs again.',
  ),
  webhook: section('Webhooks, called when a job ends.', {
    secret: webhookSecret(
      'Secret that signs webhooks: at least 16 characters, or whsec_ and base64; null for unsigned webhooks.',
    ),
    previousSecret: webhookSecret('Previous secret, which also signs webhooks while receivers switch to the new one.'),
    ...ReachFields,
    timeoutMs: integer({ minimum: 100, maximum: MINUTE_MS }, 15_000, 'Total time of one attempt, in ms.'),
  }),
})
