// A pause between two tries, which ends at once when the exchange does.
import { GatewayError } from '../../errors.js'
import { type ExchangeIn } from '../exchange.js'

/**
 * Resolves after `ms`, which count as the upstream's time, not as our own.
 * @throws client_gone when the exchange has settled in the meantime
 */
export function pause(exchange: ExchangeIn<'dispatch'>, ms: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      exchange.onCancel = null
      exchange.upstreamSpentMs += ms
      resolve()
    }, ms)
    exchange.onCancel = () => {
      clearTimeout(timer)
      reject(new GatewayError('client_gone'))
    }
  })
}
