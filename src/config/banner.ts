// The one line a start prints: where it listens, what it serves, and a curl that streams when pasted.
import { type Config } from './types.js'

export type StartFacts = { readonly port: number; readonly version: string; readonly build: string }

/** More names than this make no line for people. */
const MAX_SHOWN_MODELS = 8

/** Never holds a key: where keys are set, the curl has a placeholder for one. */
export function renderStartLine(config: Config, facts: StartFacts): string {
  const { server, keys } = config
  const scheme = server.tls === null ? 'http' : 'https'
  const host = server.host.includes(':') ? `[${server.host}]` : server.host
  const origin = `${scheme}://${host}:${facts.port}`
  const threads = `${server.threads} event loop${server.threads === 1 ? '' : 's'}`
  return `Sluice ${facts.version} on ${origin} (${facts.build}, ${threads}) serves ${shownModels(config)}. Try: ${curl(config, origin, keys.length > 0)}`
}

function curl(config: Config, origin: string, hasKeys: boolean): string {
  const auth = hasKeys ? ' -H "authorization: Bearer $SLUICE_KEY"' : ''
  const body = JSON.stringify({
    model: modelNames(config)[0] ?? 'MODEL',
    stream: true,
    messages: [{ role: 'user', content: 'Tell me about rivers.' }],
  })
  return `curl -N ${origin}/v1/chat/completions -H 'content-type: application/json'${auth} -d '${body}'`
}

function shownModels(config: Config): string {
  const names = modelNames(config)
  if (names.length === 0) return `any model of ${config.providers.map((provider) => `${provider.name}/...`).join(', ')}`
  const rest = names.length - MAX_SHOWN_MODELS
  return names.slice(0, MAX_SHOWN_MODELS).join(', ') + (rest > 0 ? ` and ${rest} more (GET /v1/models)` : '')
}

function modelNames(config: Config): string[] {
  const known = config.providers.flatMap((provider) => provider.knownModels.map((name) => `${provider.name}/${name}`))
  return [...config.models.map((model) => model.name), ...known]
}
