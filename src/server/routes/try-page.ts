// The try-it page, for the first minute with a gateway that has no keys and that only this machine can reach. Everywhere else there is
// no such page: it would spend the provider keys of whoever runs the gateway.
import { GatewayError } from '../../errors.js'
import { BrowserFiles, type ReadBrowserFile } from '../http/browser-file.js'
import { type Act, type HttpExchange } from '../http/http.js'
import { namesType } from './chat-route.js'

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
    const file = isServed(exchange) ? files.find(name === '' ? PAGE : name) : null
    if (file === null) throw new GatewayError('not_found', { message: MISSING })
    exchange.answer(200, file.body, [...file.headers, NO_CACHE])
  }
}

/** GET of `/`: a browser is sent to the page where there is one; programs get what `refuse` says of an unknown path. */
export function answerRoot(refuse: Act): Act {
  return (exchange, req) => {
    const isBrowser = namesType(req.getHeader('accept'), HTML)
    if (isBrowser && isServed(exchange)) exchange.answer(FOUND_ELSEWHERE, SEE_PAGE, SENT_ON)
    else refuse(exchange, req)
  }
}

/** Clients behind a proxy need not be on this machine. */
function isServed({ view, head }: HttpExchange): boolean {
  return view.hasTryPage && head.forwardedFor === '' && head.forwarded === ''
}

const HTML = 'text/html'
const FOUND_ELSEWHERE = 302
const SEE_PAGE = Buffer.from(`See ${TRY_PATH}.\n`)
const SENT_ON = [['location', TRY_PATH], ['content-type', 'text/plain; charset=utf-8'], NO_CACHE] as const
const MISSING = `No such page. ${TRY_PATH} is there while no gateway key is configured and Sluice listens on loopback, without a proxy in front.`
