// `sluice streams`: lists the open requests of a running gateway, and cancels one, by its admin API.
import { type StreamsOptions } from '../../config/sources/admin-commands.js'
import { isJsonObject, type JsonObject } from '../../model/json.js'
import { cellOf, openAdminApi, sayer, tableOf, visible } from './admin-api.js'

const COLUMNS = ['ID', 'KEY', 'MODEL', 'TARGET', 'TRANSPORT', 'STATE', 'SECONDS', 'OUTPUT']
const NUMBERS_AT = COLUMNS.indexOf('SECONDS')
/** As many as the admin API gives at once. */
const LIMIT = '10000'
const MS_PER_SEC = 1000

/**
 * Runs one command and prints its result: JSON for programs, or lines for people.
 * @throws misconfigured with what is missing, or what the gateway says
 */
export async function runStreams(options: StreamsOptions, print: (line: string) => void): Promise<void> {
  const api = openAdminApi(options)
  const say = sayer(options, print)
  const { name, query } = options
  switch (options.verb) {
    case 'cancel':
      await api.ask('DELETE', `/streams/${encodeURIComponent(name ?? '')}`)
      return say({ id: name, cancelled: true }, [`Request ${name} is cancelled.`])
    case 'list': {
      const listed = await api.ask('GET', `/streams?${new URLSearchParams({ ...query, limit: LIMIT })}`)
      return say(listed, linesOf(listed))
    }
  }
}

function linesOf({ data, total }: JsonObject): string[] {
  const streams = Array.isArray(data) ? data.filter(isJsonObject) : []
  const table = tableOf([COLUMNS, ...streams.map(rowOf)], NUMBERS_AT)
  return total === streams.length ? table : [...table, `${streams.length} of ${String(total)} requests are shown.`]
}

function rowOf({ id, key, model, target, transport, state, ageMs, outputTokens }: JsonObject): string[] {
  const seconds = typeof ageMs === 'number' ? (ageMs / MS_PER_SEC).toFixed(1) : '-'
  return [
    ...[String(id), cellOf(key), visible(cellOf(model)), visible(cellOf(target)), cellOf(transport), cellOf(state)],
    ...[seconds, typeof outputTokens === 'number' ? String(outputTokens) : '-'],
  ]
}
