// What a key spends, for the rollups that are kept with accounts: each attempt by its own provider, and each exchange once, at its end.
// Without accounts nothing is counted.
import { type RollupCounts } from '../../accounts/rollups/types.js'
import { type Usage } from '../../model/usage.js'
import { type ExchangeRecord } from '../../telemetry/records.js'
import { type ExchangeView } from '../exchange.js'
import { trustedUserOf } from '../spending/end-user.js'

/**
 * What one call adds. A class of its own: its numbers are small, those of the sums are not, and V8 (11.3) migrates each object of a shape
 * that has had to change for large ones, for 2 us.
 */
class Increment implements RollupCounts {
  requests = 0
  attempts = 0
  errors = 0
  inputTokens = 0
  outputTokens = 0
  cachedTokens = 0
  costNano = 0
  unpriced = 0
}

/** An attempt that its provider may charge for. `nano`: null where its price is not known. */
export function countAttempt(
  exchange: ExchangeView,
  provider: string,
  spent: { readonly usage: Usage; readonly nano: number | null },
): void {
  const { rollups } = exchange.context
  if (rollups === undefined || rollups === null) return
  const { usage, nano } = spent
  const counts = new Increment()
  counts.attempts = 1
  counts.inputTokens = usage.inputTokens
  counts.outputTokens = usage.outputTokens
  counts.cachedTokens = usage.cachedInputTokens
  if (nano === null) counts.unpriced = 1
  else counts.costNano = nano
  count(exchange, provider, counts)
}

/** An exchange has ended. */
export function countExchange(exchange: ExchangeView, { provider, outcome }: ExchangeRecord): void {
  const { rollups } = exchange.context
  if (rollups === undefined || rollups === null) return
  const counts = new Increment()
  counts.requests = 1
  if (outcome !== 'complete' && outcome !== 'client_gone') counts.errors = 1
  count(exchange, provider, counts)
}

function count(exchange: ExchangeView, provider: string | null, counts: RollupCounts): void {
  const { request, decoded, context } = exchange
  const { owner, name, account } = request.key
  if (owner === null || name === null) return
  context.rollups?.add(
    {
      // A key of the configuration file has no id but the hash of its secret.
      owner: account === undefined ? `file:${name}` : owner,
      keyName: name,
      team: account?.team?.name ?? '',
      // Without a target the name is anything that a client may write.
      model: provider === null ? '' : (decoded?.facts.model ?? ''),
      provider: provider ?? '',
      tags: account?.tags ?? NO_TAGS,
      user: trustedUserOf(exchange),
    },
    counts,
  )
}

const NO_TAGS: readonly string[] = Object.freeze([])
