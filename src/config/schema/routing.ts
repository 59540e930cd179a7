// Retries and the circuit breaker: `routing` of the configuration file.
import { Type } from 'typebox'
import { flag, HOUR_MS, integer, MINUTE_MS, section } from './parts.js'

export const Routing = section('What Sluice does when providers fail.', {
  retries: section('Further tries at the same targets, only before the first content.', {
    max: integer({ minimum: 0, maximum: 10 }, 2, 'Further rounds over the targets of a model; 0 for none.'),
    baseDelayMs: integer(
      { minimum: 1, maximum: MINUTE_MS },
      200,
      'Longest pause before the first further round, in ms; it doubles with each round.',
    ),
    maxDelayMs: integer(
      { minimum: 1, maximum: 10 * MINUTE_MS },
      5000,
      "Upper bound of that pause, in ms; a provider's Retry-After comes on top.",
    ),
    maxWaitMs: integer(
      { minimum: 0, maximum: HOUR_MS },
      10_000,
      'Total of all pauses of a request, including those that a provider asks for, in ms.',
    ),
    budget: Type.Number({
      default: 0.2,
      minimum: 0,
      maximum: 1,
      description: 'Further rounds as a fraction of all requests.',
    }),
  }),
  breaker: section('The circuit breaker: takes a target out while it keeps failing.', {
    enabled: flag(true, 'Whether failing targets are taken out.'),
    consecutiveFailures: integer({ minimum: 1, maximum: 10_000 }, 5, 'Consecutive failures that open the breaker.'),
    errorRate: Type.Number({
      default: 0.5,
      minimum: 0.01,
      maximum: 1,
      description: 'Fraction of failed attempts in the window that opens the breaker.',
    }),
    minRequests: integer(
      { minimum: 1, maximum: 1_000_000 },
      20,
      'Attempts in the window below which errorRate is ignored.',
    ),
    windowMs: integer({ minimum: 1000, maximum: HOUR_MS }, 30_000, 'Length of the window, in ms.'),
    openMs: integer(
      { minimum: 100, maximum: HOUR_MS },
      10_000,
      'How long the breaker stays open before it admits a probe, in ms.',
    ),
    probes: integer({ minimum: 1, maximum: 1000 }, 1, 'Maximum number of concurrent probes of one target.'),
  }),
})
