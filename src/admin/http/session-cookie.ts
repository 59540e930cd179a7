// The cookie of a browser's session (RFC 6265): no script reads it, no page of another site has it sent. Its name has the port, since a
// browser does not distinguish the cookies of several ports of a host.
import { SESSION_MS } from '../sessions.js'

const NAME = 'sluice-admin'
const PATH = '/admin/v1'
const PORT = /:(\d{1,5})$/
const SEC_MS = 1000

/** The cookie of the Cookie header of a request to this host; empty without one. */
export function readSessionCookie(header: string, host: string): string {
  const name = `${nameFor(host)}=`
  const found = header.split(';').find((each) => each.trimStart().startsWith(name))
  return found?.trim().slice(name.length) ?? ''
}

/** The Set-Cookie header that gives it; an empty `cookie` takes it away. */
export function writeSessionCookie(cookie: string, { host, isTls }: { host: string; isTls: boolean }): string {
  const lastsSec = cookie === '' ? 0 : SESSION_MS / SEC_MS
  const secure = isTls ? '; Secure' : ''
  return `${nameFor(host)}=${cookie}; Path=${PATH}; Max-Age=${lastsSec}; HttpOnly; SameSite=Strict${secure}`
}

function nameFor(host: string): string {
  const port = PORT.exec(host)?.[1]
  return port === undefined ? NAME : `${NAME}-${port}`
}
