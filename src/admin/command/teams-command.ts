// `sluice teams`: creates, lists, shows, changes and deletes teams of a running gateway, by its admin API.
import { type TeamsOptions } from '../../config/sources/admin-commands.js'
import { type JsonObject } from '../../model/json.js'
import { budgetsCell, cellOf, openAdminApi, sayer, tableOf } from './admin-api.js'

const COLUMNS = ['NAME', 'MODELS', 'BUDGETS', 'STATE', 'CREATED']

/**
 * Runs one command and prints its result: JSON for programs, or lines for people.
 * @throws misconfigured with what is missing, or what the gateway says
 */
export async function runTeams(options: TeamsOptions, print: (line: string) => void): Promise<void> {
  const api = openAdminApi(options)
  const path = `/teams/${encodeURIComponent(options.name ?? '')}`
  const say = sayer(options, print)
  switch (options.verb) {
    case 'create':
      say(await api.ask('POST', '/teams', { name: options.name, ...options.fields }), [
        `Team ${options.name} is there.`,
      ])
      return
    case 'show': {
      const shown = await api.ask('GET', path)
      say(shown, [JSON.stringify(shown, null, 2)])
      return
    }
    case 'update':
      say(await api.ask('PATCH', path, options.fields), [`Team ${options.name} is changed.`])
      return
    case 'delete':
      await api.ask('DELETE', path)
      say({ name: options.name, deleted: true }, [`Team ${options.name} is deleted.`])
      return
    case 'list': {
      const data = await api.list('/teams')
      say({ data }, tableOf([COLUMNS, ...data.map(rowOf)]))
    }
  }
}

function rowOf({ name, models, budgets, disabled, createdAt }: JsonObject): string[] {
  return [
    ...[String(name), Array.isArray(models) ? models.join(',') : '', budgetsCell(budgets)],
    ...[disabled === true ? 'disabled' : 'active', cellOf(createdAt)],
  ]
}
