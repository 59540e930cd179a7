// `sluice providers`: lists the providers of a running gateway, and pauses and resumes one, by its admin API.
import { type ProvidersOptions } from '../../config/sources/admin-commands.js'
import { isJsonObject, type JsonObject } from '../../model/json.js'
import { cellOf, openAdminApi, sayer, tableOf } from './admin-api.js'

const COLUMNS = ['NAME', 'PROTOCOL', 'STATE', 'BREAKER', 'ATTEMPTS', 'FAILED', 'LIMITED']
const NUMBERS_AT = COLUMNS.indexOf('ATTEMPTS')

/**
 * Runs one command and prints its result: JSON for programs, or lines for people.
 * @throws misconfigured with what is missing, or what the gateway says
 */
export async function runProviders(options: ProvidersOptions, print: (line: string) => void): Promise<void> {
  const api = openAdminApi(options)
  const say = sayer(options, print)
  const { verb, name } = options
  if (verb === 'list') {
    const listed = await api.ask('GET', '/providers')
    const providers = Array.isArray(listed.data) ? listed.data.filter(isJsonObject) : []
    return say(listed, tableOf([COLUMNS, ...providers.map(rowOf)], NUMBERS_AT))
  }
  const provider = await api.ask('POST', `/providers/${encodeURIComponent(name ?? '')}/${verb}`, {})
  say(provider, [`Provider ${name} is ${provider.paused === true ? 'paused' : 'active'}.`])
}

function rowOf({ name, protocol, paused, breaker, attempts, failed, rateLimited }: JsonObject): string[] {
  return [
    ...[String(name), cellOf(protocol), paused === true ? 'paused' : 'active', cellOf(breaker)],
    ...[attempts, failed, rateLimited].map(String),
  ]
}
