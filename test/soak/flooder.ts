// A client that asks without a pause and reads what it gets, a process of its own: `node flooder.js PORT KIND CONNECTIONS [KEY]`.
// A connection that the gateway closes is opened again at once. It ends with its parent's signal.
import { connect } from 'node:net'
import { frameOf, PING, TEXT } from '../helpers/raw-websocket.js'

/** Bytes handed to the system at a time. */
const WRITE_BYTES = 64 * 1024
const UNKNOWN_CHAT = '{"type":"chat","id":"a","request":{"model":"no/such","messages":[]}}'
const UPGRADE =
  'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'

const [port = '0', kind = 'livez', connections = '1', key = ''] = process.argv.slice(2)
const credential = key === '' ? '' : `X-API-Key: ${key}\r\n`

function get(path: string, headers = ''): Buffer {
  return Buffer.from(`GET ${path} HTTP/1.1\r\nHost: x\r\n${credential}${headers}\r\n`)
}

/** What is sent first, and what again and again once that is answered. */
const FLOODS: Readonly<Record<string, readonly [opening: Buffer | null, unit: Buffer]>> = {
  livez: [null, get('/livez')],
  models: [null, get('/v1/models')],
  text: [get('/v1/ws', UPGRADE), frameOf(TEXT, '1')],
  ping: [get('/v1/ws', UPGRADE), frameOf(PING, '')],
  chat: [get('/v1/ws', UPGRADE), frameOf(TEXT, UNKNOWN_CHAT)],
}

function flood(opening: Buffer | null, load: Buffer): void {
  const socket = connect(Number(port), '127.0.0.1')
  const pump = (): void => {
    while (!socket.destroyed && socket.write(load));
  }
  socket.on('error', () => undefined)
  socket.once('close', () => setImmediate(() => flood(opening, load)))
  socket.on('drain', pump)
  socket.on('connect', () => (opening === null ? pump() : socket.write(opening)))
  socket.once('data', () => {
    if (opening !== null) pump()
    socket.resume()
  })
}

const chosen = FLOODS[kind]
if (chosen === undefined) throw new Error(`no flood ${kind}`)
const [opening, unit] = chosen
const load = Buffer.concat(Array.from({ length: Math.ceil(WRITE_BYTES / unit.length) }, () => unit))
for (let i = 0; i < Number(connections); i++) flood(opening, load)
