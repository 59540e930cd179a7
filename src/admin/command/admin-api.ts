// The admin API of a running gateway, as commands of the shell reach it, and tables as they print them.

import { type AdminConfig } from '../../config/listener-types.js'
import { type Overrides } from '../../config/load.js'
import { readCatalog, readConfig, readVariable } from '../../config/read.js'
import { refusal } from '../../config/validate/problem.js'
import { isJsonObject, type JsonObject } from '../../model/json.js'

const KEY_VARIABLE = 'ADMIN_KEY'
const PAGE_LIMIT = 1000

/** Where the gateway is found. `url`: null for that of the configuration. */
export type AdminPlace = { readonly url: string | null; readonly overrides: Overrides }

/** @throws misconfigured where there is no admin key, or no valid configuration to find the address in */
export function openAdminApi({ url, overrides }: AdminPlace): AdminApi {
  const key = readVariable(KEY_VARIABLE)
  if (key === null) throw refusal(`no admin key given: set ${KEY_VARIABLE}, in the environment or in .env`)
  return new AdminApi(url ?? urlOf(readConfig(overrides, readCatalog()).config.admin), key)
}

/** The admin API of a running gateway. */
export class AdminApi {
  readonly #url: string
  readonly #key: string

  constructor(url: string, key: string) {
    this.#url = url.replace(/\/+$/, '')
    this.#key = key
  }

  /** @throws misconfigured */
  async ask(method: string, path: string, body?: object): Promise<JsonObject> {
    return readJson((await this.read(method, path, body)).text) ?? {}
  }

  /** All pages of a list. @throws misconfigured */
  async list(path: string, query: Readonly<Record<string, string>> = {}): Promise<JsonObject[]> {
    const all: JsonObject[] = []
    let after: string | null = null
    do {
      const asked = new URLSearchParams({ limit: String(PAGE_LIMIT), ...query })
      if (after !== null) asked.set('after', after)
      const { data, next } = await this.ask('GET', `${path}?${asked}`)
      if (Array.isArray(data)) all.push(...data.filter(isJsonObject))
      after = typeof next === 'string' ? next : null
    } while (after !== null)
    return all
  }

  /** An answer as it is. @throws misconfigured */
  async read(method: string, path: string, body?: object): Promise<Answer> {
    const headers = { authorization: `Bearer ${this.#key}`, 'content-type': 'application/json' }
    const init = body === undefined ? { method, headers } : { method, headers, body: JSON.stringify(body) }
    const answer = await fetch(`${this.#url}/admin/v1${path}`, init).catch((thrown: unknown) => {
      throw refusal(`the admin API at ${this.#url} cannot be reached (${causeOf(thrown)}); is the gateway running?`)
    })
    const text = await answer.text()
    if (answer.ok) return { text, headers: answer.headers }
    const read = readJson(text)
    const error = isJsonObject(read?.error) ? read.error : {}
    throw refusal(
      `the gateway answered ${answer.status}: ${typeof error.message === 'string' ? error.message : text.slice(0, 200)}`,
    )
  }
}

type Answer = { readonly text: string; readonly headers: Headers }

/** How a command prints its result: JSON for programs, or lines for people. */
export type Say = (answer: JsonObject, lines: readonly string[]) => void

/** @see Say */
export function sayer({ isJson }: { readonly isJson: boolean }, print: (line: string) => void): Say {
  return (answer, lines) => {
    for (const line of isJson ? [JSON.stringify(answer)] : lines) print(line)
  }
}

/** Names that clients choose: a terminal would obey their control characters. */
export function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?')
}

/** Lines with columns of the same width; those from `numbersAt` on are aligned to the right. */
export function tableOf(rows: readonly (readonly string[])[], numbersAt = Number.POSITIVE_INFINITY): string[] {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => (row[at] ?? '').length)))
  return rows.map((row) =>
    row
      .map((cell, at) => (at < numbersAt ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
      .join('  ')
      .trimEnd(),
  )
}

/** One that listens on all addresses is reached on this machine. */
function urlOf({ host, port, tls }: AdminConfig): string {
  const reached = host === '0.0.0.0' || host === '::' ? 'localhost' : host
  return `${tls === null ? 'http' : 'https'}://${reached.includes(':') ? `[${reached}]` : reached}:${port}`
}

function readJson(text: string): JsonObject | null {
  try {
    const read: unknown = JSON.parse(text)
    return isJsonObject(read) ? read : null
  } catch {
    return null
  }
}

/** Of a fetch that failed, without its words: they may name the address alone. */
function causeOf(thrown: unknown): string {
  const cause = thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause : thrown
  return cause instanceof Error && 'code' in cause ? String(cause.code) : 'no answer'
}

/** A cell of a table. */
export function cellOf(value: unknown): string {
  return typeof value === 'string' ? value : '-'
}

/** Budgets of a key or team in the form in which they are given. */
export function budgetsCell(budgets: unknown): string {
  if (!Array.isArray(budgets) || budgets.length === 0) return '-'
  return budgets
    .filter(isJsonObject)
    .map(({ usd, tokens, per }) => `${usd === undefined ? `${String(tokens)}tokens` : String(usd)}/${String(per)}`)
    .join(',')
}
