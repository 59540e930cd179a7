// `sluice budgets`: creates, lists, shows, changes, adjusts and deletes budgets of a running gateway, by its admin API.
import { type BudgetsOptions } from '../../config/sources/admin-commands.js'
import { type JsonObject } from '../../model/json.js'
import { cellOf, openAdminApi, sayer, tableOf, visible } from './admin-api.js'

const COLUMNS = ['NAME', 'SCOPE', 'PER', 'UNIT', 'RESETS', 'LIMIT', 'SPENT', 'RESERVED', 'LEFT']
const NUMBERS_AT = COLUMNS.indexOf('LIMIT')

/**
 * Runs one command and prints its result: JSON for programs, or lines for people.
 * @throws misconfigured with what is missing, or what the gateway says
 */
export async function runBudgets(options: BudgetsOptions, print: (line: string) => void): Promise<void> {
  const api = openAdminApi(options)
  const say = sayer(options, print)
  const { name, fields, user } = options
  const path = `/budgets/${encodeURIComponent(name ?? '')}`
  switch (options.verb) {
    case 'create': {
      const created = await api.ask('POST', '/budgets', { name, ...fields })
      return say(created, linesOf([created]))
    }
    case 'update': {
      const updated = await api.ask('PATCH', path, fields)
      return say(updated, linesOf([updated]))
    }
    case 'adjust': {
      const adjusted = await api.ask('POST', `${path}/adjust`, fields)
      return say(adjusted, linesOf([adjusted]))
    }
    case 'show': {
      const shown = await api.ask('GET', user === null ? path : `${path}?${new URLSearchParams({ user })}`)
      return say(shown, linesOf([shown]))
    }
    case 'delete':
      await api.ask('DELETE', path)
      return say({ name, deleted: true }, [`Budget ${name} is deleted.`])
    case 'list': {
      const data = await api.list('/budgets')
      return say({ data }, linesOf(data))
    }
  }
}

function linesOf(budgets: readonly JsonObject[]): string[] {
  return tableOf([COLUMNS, ...budgets.map(rowOf)], NUMBERS_AT)
}

function rowOf({ name, scope, per, usd, tokens, resetsAt, spent, reserved, left }: JsonObject): string[] {
  return [
    ...[String(name), visible(String(scope)), String(per), usd === undefined ? 'tokens' : 'usd', cellOf(resetsAt)],
    ...[usd ?? tokens, spent, reserved, left].map((amount) => (typeof amount === 'number' ? String(amount) : '-')),
  ]
}
