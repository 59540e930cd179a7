// The open exchanges of a pipeline from outside: lists them, and ends all when the process drains, or those of keys that a reload, or an
// administrator, has removed.
import { GatewayError } from '../errors.js'
import { type KeyIdentity } from './client.js'
import { type AccountSource } from './context.js'
import { fail } from './delivery/reject.js'
import { type ExchangeView } from './exchange.js'
import { type OpenExchanges } from './open-exchanges.js'
import { type OperatorExchange } from './outside-view.js'
import { closedBy } from './stages/authenticate.js'

const DRAINING = GatewayError.shared('draining')
const KEY_REMOVED = GatewayError.shared('unauthenticated', { message: 'This API key has been removed.' })

export type OutsideEnds = {
  /** Exchanges that have begun and not settled. */
  openCount(): number
  /** The same one by one, for operators. */
  listOpen(): readonly OperatorExchange[]
  /**
   * Ends every open exchange with `draining`: a status where nothing was sent, an error frame where a stream runs. `isSparing`: but not
   * those whose clients get the answer from other nodes.
   */
  endAll(isSparing?: boolean): void
  /** Ends the open exchanges of these keys in the same way, and from now on each further one as it begins. */
  endOf(isRemoved: (key: KeyIdentity) => boolean): void
  /** Ends the open exchanges of keys of the database that were deleted or disabled, or have expired. */
  endOfClosedAccounts(): void
  /** An exchange has begun. True: its key had been removed before, and it has ended. */
  endAtOnce(exchange: ExchangeView): boolean
}

/** For the exchanges of one pipeline. */
export function createOutsideEnds(
  open: OpenExchanges<OperatorExchange>,
  accounts: AccountSource | null = null,
): OutsideEnds {
  let isOfRemoved: ((key: KeyIdentity) => boolean) | null = null
  const endWhere = (isRemoved: (key: KeyIdentity) => boolean): void => {
    for (const exchange of open.list()) if (isRemoved(exchange.request.key)) fail(exchange, KEY_REMOVED)
  }
  const isClosed = ({ account, index }: KeyIdentity): boolean =>
    account !== undefined && isClosedAccount(accounts, index)
  return {
    openCount: () => open.size,
    listOpen: () => open.list(),
    endAll(isSparing = false) {
      for (const exchange of open.list()) if (!isSparing || exchange.sink.isShared !== true) fail(exchange, DRAINING)
    },
    endOf(isRemoved) {
      isOfRemoved = isRemoved
      endWhere(isRemoved)
    },
    endOfClosedAccounts: () => endWhere(isClosed),
    endAtOnce(exchange) {
      const { key } = exchange.request
      // Its body may have taken longer to arrive than its key was valid.
      if (isOfRemoved?.(key) !== true && !isClosed(key)) return false
      fail(exchange, KEY_REMOVED)
      return true
    },
  }
}

/** Whether the account of this index may do nothing any more. */
export function isClosedAccount(accounts: AccountSource | null, index: number): boolean {
  const listed = accounts?.byIndex(index) ?? null
  return listed === null || accounts === null || closedBy(listed, accounts.nowMs()) !== null
}
