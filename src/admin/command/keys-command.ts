// `sluice keys`: creates, lists, shows, rotates and revokes gateway keys of a running gateway, by its admin API. It knows that API by its
// routes alone, as any other client does.
import { type KeysOptions } from '../../config/command-line.js'
import { type AdminConfig } from '../../config/listener-types.js'
import { readCatalog, readConfig, readVariable } from '../../config/read.js'
import { refusal } from '../../config/validate/problem.js'
import { isJsonObject, type JsonObject } from '../../model/json.js'

const KEY_VARIABLE = 'ADMIN_KEY'
const PAGE_LIMIT = 1000
const COLUMNS = ['NAME', 'SOURCE', 'TEAM', 'MODELS', 'STATE', 'EXPIRES', 'LAST USED']

/**
 * Runs one command and prints its result: JSON for programs, or lines for people.
 * @throws misconfigured with what is missing, or what the gateway says
 */
export async function runKeys(options: KeysOptions, print: (line: string) => void): Promise<void> {
  const key = readVariable(KEY_VARIABLE)
  if (key === null) throw refusal(`no admin key given: set ${KEY_VARIABLE}, in the environment or in .env`)
  const api = new AdminApi(options.url ?? urlOf(readConfig(options.overrides, readCatalog()).config.admin), key)
  const name = encodeURIComponent(options.name ?? '')
  const say = (answer: JsonObject, lines: readonly string[]): void => {
    if (options.isJson) print(JSON.stringify(answer))
    else for (const line of lines) print(line)
  }
  switch (options.verb) {
    case 'create': {
      const made = await api.ask('POST', '/keys', { name: options.name, ...options.fields })
      say(
        made,
        'secret' in made ? secretLines(made) : [`Key ${options.name} was there already, with the same contents.`],
      )
      return
    }
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
      const data = await listAll(api, options.team)
      say({ data }, tableOf(data))
    }
  }
}

/** The admin API of a running gateway. */
class AdminApi {
  readonly #url: string
  readonly #key: string

  constructor(url: string, key: string) {
    this.#url = url.replace(/\/+$/, '')
    this.#key = key
  }

  /** @throws misconfigured */
  async ask(method: string, path: string, body?: object): Promise<JsonObject> {
    const headers = { authorization: `Bearer ${this.#key}`, 'content-type': 'application/json' }
    const init = body === undefined ? { method, headers } : { method, headers, body: JSON.stringify(body) }
    const answer = await fetch(`${this.#url}/admin/v1${path}`, init).catch((thrown: unknown) => {
      throw refusal(`the admin API at ${this.#url} cannot be reached (${causeOf(thrown)}); is the gateway running?`)
    })
    const text = await answer.text()
    const read = readJson(text)
    if (answer.ok) return read ?? {}
    const error = isJsonObject(read?.error) ? read.error : {}
    throw refusal(
      `the gateway answered ${answer.status}: ${typeof error.message === 'string' ? error.message : text.slice(0, 200)}`,
    )
  }
}

async function listAll(api: AdminApi, team: string | null): Promise<JsonObject[]> {
  const all: JsonObject[] = []
  let after: string | null = null
  do {
    const query = new URLSearchParams({ limit: String(PAGE_LIMIT) })
    if (team !== null) query.set('team', team)
    if (after !== null) query.set('after', after)
    const { data, next } = await api.ask('GET', `/keys?${query}`)
    if (Array.isArray(data)) all.push(...data.filter(isJsonObject))
    after = typeof next === 'string' ? next : null
  } while (after !== null)
  return all
}

function secretLines({ name, secret }: JsonObject): string[] {
  return [`Key ${String(name)}:`, String(secret), 'It is shown this once; the gateway keeps its SHA-256 alone.']
}

function tableOf(keys: readonly JsonObject[]): string[] {
  const rows = keys.map(({ name, source, team, models, disabled, expiresAt, lastUsedAt }) => [
    ...[String(name), String(source), textOf(team), Array.isArray(models) ? models.join(',') : ''],
    ...[disabled === true ? 'disabled' : 'active', textOf(expiresAt), textOf(lastUsedAt)],
  ])
  const widths = COLUMNS.map((title, at) => Math.max(title.length, ...rows.map((row) => (row[at] ?? '').length)))
  return [COLUMNS, ...rows].map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '-'
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
