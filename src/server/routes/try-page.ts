// The try-it page, for the first minute with a gateway that has no keys and that only this machine can reach. Everywhere else there is
// no such page: it would spend the provider keys of whoever runs the gateway.
import { GatewayError } from '../../errors.js'
import { BrowserFiles, type ReadBrowserFile } from '../http/browser-file.js'
import { type Act } from '../http/http.js'

/** The page; its files are below. */
export const TRY_PATH = '/try'
const PAGE = 'try.html'
const FILES = [PAGE, 'try.js', 'look.css', 'icon.svg']
/** A new version is another file, and asking costs nothing here. */
const NO_CACHE = ['cache-control', 'no-cache'] as const

/** GET of the page, or of a file below it. */
export function answerTryPage(read: ReadBrowserFile): Act {
  const files = new BrowserFiles(FILES, read)
  return (exchange, req) => {
    const name = req.getUrl().slice(TRY_PATH.length + 1)
    const { view, head } = exchange
    // Whoever is behind a proxy need not be on this machine.
    const isServed = view.hasTryPage && head.forwardedFor === '' && head.forwarded === ''
    const file = isServed ? files.find(name === '' ? PAGE : name) : null
    if (file === null) throw new GatewayError('not_found', { message: MISSING })
    exchange.answer(200, file.body, [...file.headers, NO_CACHE])
  }
}

const MISSING = `No such page. ${TRY_PATH} is there while no gateway key is configured and Sluice listens on loopback, without a proxy in front.`
