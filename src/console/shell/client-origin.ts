// Where clients find the gateway, for code that is copied: the console has an origin of its own.
import { type AdminApi } from '../api.js'

type Server = { readonly host: string; readonly port: number; readonly tls: object | null }

/** As the configuration has it: a proxy in front may have another one. @throws ApiError */
export async function clientOrigin(api: AdminApi, signal: AbortSignal): Promise<string> {
  const { config } = await api.get<{ readonly config: { readonly server: Server } }>('/config', signal)
  const { host, port, tls } = config.server
  return `${tls === null ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${port}`
}
