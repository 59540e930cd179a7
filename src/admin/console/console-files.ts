// The console's page and its files. They hold nothing secret: whoever opens them still needs a key for everything that they show.
import { GatewayError } from '../../errors.js'
import { BrowserFiles, type ReadBrowserFile } from '../../server/http/browser-file.js'
import { type AdminExchange } from '../http/admin-exchange.js'

/** Of the page; its files are below. */
export const CONSOLE_PATH = '/console'
const PAGE = 'console.html'
const FILES = [PAGE, 'console.js', 'look.css', 'icon.svg']
const FOUND_ELSEWHERE = 302

/** Answers a GET of the page or of a file below it; `path` without its query. */
export function createConsole(read: ReadBrowserFile): (exchange: AdminExchange, path: string) => void {
  const files = new BrowserFiles(FILES, read)
  return (exchange, path) => {
    if (path === '/') {
      exchange.answer(FOUND_ELSEWHERE, null, [['location', CONSOLE_PATH]])
      return
    }
    const name = path.slice(CONSOLE_PATH.length + 1)
    const file = files.find(name === '' ? PAGE : name)
    if (file === null) throw new GatewayError('not_found', { message: 'The console has no such file.' })
    exchange.answer(200, file.body, file.headers)
  }
}
