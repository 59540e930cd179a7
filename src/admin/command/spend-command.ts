// `sluice spend`: what the keys of a running gateway have spent, by its admin API, as a table for people, as JSON or as CSV.
import { type SpendOptions } from '../../config/sources/admin-commands.js'
import { isJsonObject, type JsonObject } from '../../model/json.js'
import { type AdminApi, cellOf, openAdminApi, tableOf, visible } from './admin-api.js'

const PAGE_LIMIT = 10_000
/** Columns of numbers: the title, and the member of a row. */
const NUMBERS = [
  ['REQUESTS', 'requests'],
  ['ERRORS', 'errors'],
  ['INPUT', 'inputTokens'],
  ['OUTPUT', 'outputTokens'],
  ['CACHED', 'cachedTokens'],
  ['USD', 'usd'],
] as const
const USD_DIGITS = 6

/**
 * Prints one report, all of its pages together.
 * @throws misconfigured with what is missing, or what the gateway says
 */
export async function runSpend(options: SpendOptions, print: (line: string) => void): Promise<void> {
  const api = openAdminApi(options)
  const query = new URLSearchParams({ ...options.query, limit: String(PAGE_LIMIT) })
  if (options.format === 'csv') return printCsv(api, query, print)
  const report = await readAll(api, query)
  if (options.format === 'json') print(JSON.stringify(report))
  else for (const line of linesOf(report)) print(line)
}

async function readAll(api: AdminApi, query: URLSearchParams): Promise<JsonObject & { data: JsonObject[] }> {
  const data: JsonObject[] = []
  for (;;) {
    const { next, ...page } = await api.ask('GET', `/spend?${query}`)
    if (Array.isArray(page.data)) data.push(...page.data.filter(isJsonObject))
    if (typeof next !== 'string') return { ...page, data }
    query.set('after', next)
  }
}

/** Line by line they cannot be taken apart: a cell may hold line breaks. Only the titles of later pages are left out. */
async function printCsv(api: AdminApi, query: URLSearchParams, print: (line: string) => void): Promise<void> {
  query.set('format', 'csv')
  for (let isFirst = true; ; isFirst = false) {
    const { text, headers } = await api.read('GET', `/spend?${query}`)
    const rows = (isFirst ? text : text.slice(text.indexOf('\n') + 1)).trimEnd()
    if (rows !== '') print(rows)
    const next = headers.get('x-next')
    if (next === null) return
    query.set('after', next)
  }
}

function linesOf({ by, data, total }: JsonObject & { readonly data: readonly JsonObject[] }): string[] {
  const names = Array.isArray(by) ? by.map(String) : []
  const sum = isJsonObject(total) ? total : {}
  const numbersOf = (row: JsonObject): string[] => NUMBERS.map(([, member]) => numberText(member, row[member]))
  const rows = data.map((row) => [...names.map((name) => textOf(row[name])), ...numbersOf(row)])
  const totals = [...names.map((_, at) => (at === 0 ? 'TOTAL' : '')), ...numbersOf(sum)]
  const titles = [...names.map((name) => name.toUpperCase()), ...NUMBERS.map(([title]) => title)]
  const table = tableOf([titles, ...rows, totals], names.length)
  const { unpriced } = sum
  if (typeof unpriced !== 'number' || unpriced === 0) return table
  return [...table, `${unpriced} of ${String(sum.attempts)} attempts have no known price.`]
}

function numberText(member: string, value: unknown): string {
  if (typeof value !== 'number') return '-'
  return member === 'usd' ? value.toFixed(USD_DIGITS) : String(value)
}

/** Names of models and end users are the clients'. */
function textOf(value: unknown): string {
  return visible(cellOf(value))
}
