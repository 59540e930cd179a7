// `sluice keys`: creates, lists, shows, changes, rotates and revokes gateway keys of a running gateway, by its admin API. It knows that API by its
// routes alone, like every client.
import { type KeysOptions } from '../../config/sources/admin-commands.js'
import { type JsonObject } from '../../model/json.js'
import { budgetsCell, cellOf, openAdminApi, sayer, tableOf } from './admin-api.js'

const COLUMNS = ['NAME', 'SOURCE', 'TEAM', 'MODELS', 'BUDGETS', 'STATE', 'EXPIRES', 'LAST USED']

/**
 * Runs one command and prints its result: JSON for programs, or lines for people.
 * @throws misconfigured with what is missing, or what the gateway says
 */
export async function runKeys(options: KeysOptions, print: (line: string) => void): Promise<void> {
  const api = openAdminApi(options)
  const name = encodeURIComponent(options.name ?? '')
  const say = sayer(options, print)
  switch (options.verb) {
    case 'create': {
      const made = await api.ask('POST', '/keys', { name: options.name, ...options.fields })
      say(
        made,
        'secret' in made ? secretLines(made) : [`Key ${options.name} was there already, with the same contents.`],
      )
      return
    }
    case 'update':
      say(await api.ask('PATCH', `/keys/${name}`, options.fields), [`Key ${options.name} is changed.`])
      return
    case 'rotate': {
      const body = options.overlapMs === null ? {} : { overlapMs: options.overlapMs }
      const rotated = await api.ask('POST', `/keys/${name}/rotate`, body)
      say(rotated, secretLines(rotated))
      return
    }
    case 'revoke':
      await api.ask('DELETE', `/keys/${name}`)
      say({ name: options.name, revoked: true }, [`Key ${options.name} is revoked.`])
      return
    case 'show': {
      const shown = await api.ask('GET', `/keys/${name}`)
      say(shown, [JSON.stringify(shown, null, 2)])
      return
    }
    case 'list': {
      const data = await api.list('/keys', options.team === null ? {} : { team: options.team })
      say({ data }, tableOf([COLUMNS, ...rowsOf(data)]))
    }
  }
}

function secretLines({ name, secret }: JsonObject): string[] {
  return [`Key ${String(name)}:`, String(secret), 'It is shown this once; the gateway keeps its SHA-256 alone.']
}

function rowsOf(keys: readonly JsonObject[]): string[][] {
  return keys.map(({ name, source, team, models, budgets, disabled, expiresAt, lastUsedAt }) => [
    ...[
      String(name),
      String(source),
      cellOf(team),
      Array.isArray(models) ? models.join(',') : '',
      budgetsCell(budgets),
    ],
    ...[disabled === true ? 'disabled' : 'active', cellOf(expiresAt), cellOf(lastUsedAt)],
  ])
}
