// Connections to untrusted servers, for undici: only to addresses that the policy allows.
import { type Socket } from 'node:net'
import buildConnector from 'undici/lib/core/connect.js'
import { createGuardedLookup, type Resolve } from './guarded-lookup.js'
import { type GuardPolicy, isPublicAddress } from './public-url.js'

export type ConnectorOptions = GuardPolicy & {
  readonly timeoutMs: number
  /** All addresses of a name; DNS unless given. */
  readonly resolve?: Resolve
  /** Adds to TLS verification (a private CA); cannot turn it off. */
  readonly ca?: string | Buffer
}

/** Connects only to addresses that the policy allows: checked when the name is resolved, and again on the socket. */
export function createGuardedConnector(options: ConnectorOptions): buildConnector.connector {
  const connect = buildConnector({
    timeout: options.timeoutMs,
    maxCachedSessions: 0,
    rejectUnauthorized: true,
    lookup: createGuardedLookup(options, options.resolve),
    ...(options.ca === undefined ? {} : { ca: options.ca }),
  })
  return (target, callback) => {
    connect(target, (...[error, socket]) => {
      if (error !== null) callback(error, null)
      else if (mayTalkTo(socket, options)) callback(null, socket)
      else {
        socket.destroy()
        callback(new Error('connected to an address that is not public'), null)
      }
    })
  }
}

function mayTalkTo(socket: Socket, { allowPrivateNetworks }: GuardPolicy): boolean {
  return allowPrivateNetworks || isPublicAddress(socket.remoteAddress ?? '')
}
