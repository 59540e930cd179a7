// What a key spends, for the rollups that are kept with accounts: each attempt by its own provider, and each exchange once, at its end.
// Without accounts nothing is counted.
import { noCounts, type RollupCounts } from '../../accounts/rollups/types.js'
import { type Usage } from '../../model/usage.js'
import { type ExchangeRecord } from '../../telemetry/records.js'
import { type ExchangeView } from '../exchange.js'

/** An attempt that its provider may charge for. `nano`: null where its price is not known. */
export function countAttempt(
  exchange: ExchangeView,
  provider: string,
  spent: { readonly usage: Usage; readonly nano: number | null },
): void {
  const { rollups } = exchange.context
  if (rollups === undefined || rollups === null) return
  const { inputTokens, outputTokens, cachedInputTokens: cachedTokens } = spent.usage
  count(exchange, provider, {
    ...{ ...noCounts(), attempts: 1, inputTokens, outputTokens, cachedTokens },
    ...(spent.nano === null ? { unpriced: 1 } : { costNano: spent.nano }),
  })
}

/** An exchange has ended. */
export function countExchange(exchange: ExchangeView, { provider, outcome }: ExchangeRecord): void {
  const { rollups } = exchange.context
  if (rollups === undefined || rollups === null) return
  const errors = outcome === 'complete' || outcome === 'client_gone' ? 0 : 1
  count(exchange, provider, { ...noCounts(), requests: 1, errors })
}

function count({ request, decoded, context }: ExchangeView, provider: string | null, counts: RollupCounts): void {
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
      tags: account?.tags ?? [],
      user: account?.trustUser === true ? (decoded?.facts.endUser ?? null) : null,
    },
    counts,
  )
}
