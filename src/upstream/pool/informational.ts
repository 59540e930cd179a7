// Interim answers (1xx) on their way through undici: it skips 102 and 103 as HTTP requires and ends the connection for a 100,
// which a server may send to a request that never expected one (RFC 9110 15.2: "a client MUST be able to parse one or more 1xx
// responses received prior to a final response, even if the client does not expect one"). Some proxies send it with every POST.
import { type Socket } from 'node:net'

const CONTINUE = 100
/** Another interim answer, which undici skips: its handler gets it as a status below 200. */
const EARLY_HINTS = 103
/** The symbol under which undici 7 keeps a socket's parser (lib/core/symbols.js). */
const PARSER_SYMBOL = 'parser'

type HeadParser = {
  onHeadersComplete(status: number, isUpgrade: boolean, keepsAlive: boolean): number
}

/**
 * Has this connection's parser skip a 100 as it skips a 103. For a socket that undici has just taken over; without effect on one
 * whose parser is not found, where a 100 stays a failed answer (a test on the real undici would show it).
 */
export function skipContinue(socket: Socket): void {
  const parser = parserOf(socket)
  if (parser === null) return
  const { onHeadersComplete } = parser
  parser.onHeadersComplete = function skip100(status, isUpgrade, keepsAlive) {
    return onHeadersComplete.call(this, status === CONTINUE ? EARLY_HINTS : status, isUpgrade, keepsAlive)
  }
}

function parserOf(socket: object): HeadParser | null {
  for (const symbol of Object.getOwnPropertySymbols(socket)) {
    if (symbol.description !== PARSER_SYMBOL) continue
    const parser: unknown = Reflect.get(socket, symbol)
    return isHeadParser(parser) ? parser : null
  }
  return null
}

function isHeadParser(value: unknown): value is HeadParser {
  return (
    typeof value === 'object' &&
    value !== null &&
    'onHeadersComplete' in value &&
    typeof value.onHeadersComplete === 'function'
  )
}
