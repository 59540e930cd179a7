// Where clients find the gateway, and what it speaks there, for requests that are sent and code that is copied: the console has an origin
// of its own.
import { type AdminApi } from '../api.js'
import { type ApiPaths, allApis } from './apis/all-apis.js'
import { type ChatApi } from './chat-api.js'

type Server = { readonly host: string; readonly port: number; readonly tls: object | null }
type Shown = { readonly config: { readonly server: Server; readonly compat: ApiPaths } }

export type ClientDoor = { readonly origin: string; readonly apis: readonly [ChatApi, ...ChatApi[]] }

/** As the configuration has it: a proxy in front may have another one. @throws ApiError */
export async function clientDoor(api: AdminApi, signal: AbortSignal): Promise<ClientDoor> {
  const { config } = await api.get<Shown>('/config', signal)
  return { origin: originOf(config.server), apis: allApis(config.compat) }
}

/** One that listens on every address is reached by the name by which its console is. */
function originOf({ host, port, tls }: Server): string {
  const name = ANY_ADDRESS.has(host) ? location.hostname : host.includes(':') ? `[${host}]` : host
  return `${tls === null ? 'http' : 'https'}://${name}:${port}`
}

const ANY_ADDRESS = new Set(['0.0.0.0', '::'])
