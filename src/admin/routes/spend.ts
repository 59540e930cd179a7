// What was spent, from the rollups of the account database: by team, key, model, provider, tag, end user and day, as JSON or CSV.
import { type Static, Type } from 'typebox'
import {
  SPEND_DIMENSIONS,
  type SpendCursor,
  type SpendDimension,
  type SpendRow,
  type SpendSum,
} from '../../accounts/rollups/reports.js'
import { COUNT_NAMES, DAY_MS, HOUR_MS, type RollupCounts } from '../../accounts/rollups/types.js'
import { GatewayError } from '../../errors.js'
import { type AdminContext } from '../context.js'
import { ACCEPT, type AdminAnswer, type AdminRoute, adminRoute } from '../http/admin-route.js'
import { nullable, refused, Time, timeText } from '../http/answers.js'
import { csvOf } from '../http/csv.js'
import { storeOf } from './records.js'

const NANO_PER_DOLLAR = 1_000_000_000
const CSV_TYPE = 'text/csv; charset=utf-8'
/** By end user, sums are by these alone. */
const BESIDE_USER: readonly SpendDimension[] = ['user', 'key', 'day']

const SpendInput = Type.Object(
  {
    from: Type.Optional(
      Type.String({ maxLength: 40, description: 'A day in UTC, or a whole hour (ISO 8601); the first of this month' }),
    ),
    to: Type.Optional(Type.String({ maxLength: 40, description: 'The same, exclusive; the end of today' })),
    by: Type.String({ maxLength: 100, default: 'day', description: `Some of ${SPEND_DIMENSIONS.join(', ')}` }),
    format: Type.Optional(Type.Enum(['json', 'csv'], { description: 'CSV also by `Accept: text/csv`' })),
    after: Type.Optional(Type.String({ maxLength: 4000, description: '`next` of the page before' })),
    limit: Type.Integer({ minimum: 1, maximum: 10_000, default: 1000 }),
  },
  { additionalProperties: false },
)
const SUM = {
  requests: Type.Integer(),
  attempts: Type.Integer({ description: 'Those that a provider may charge for' }),
  errors: Type.Integer(),
  inputTokens: Type.Integer(),
  outputTokens: Type.Integer(),
  cachedTokens: Type.Integer({ description: 'Part of the input' }),
  usd: Type.Number(),
  unpriced: Type.Integer({ description: 'Attempts without a known price' }),
}
const Row = Type.Object({
  team: Type.Optional(nullable(Type.String())),
  key: Type.Optional(Type.String()),
  keyId: Type.Optional(nullable(Type.String({ description: 'Null for a key of the configuration file' }))),
  model: Type.Optional(nullable(Type.String())),
  provider: Type.Optional(nullable(Type.String())),
  tag: Type.Optional(nullable(Type.String())),
  user: Type.Optional(Type.String()),
  day: Type.Optional(Type.String({ format: 'date' })),
  ...SUM,
})
const Report = Type.Object({
  from: Time,
  to: Time,
  by: Type.Array(Type.Enum([...SPEND_DIMENSIONS])),
  data: Type.Array(Row),
  total: Type.Object(SUM, { description: 'Over all pages; a request with several tags counts once' }),
  next: nullable(Type.String()),
})

/** The route of spend. */
export function spendRoutes(context: AdminContext): AdminRoute[] {
  return [
    adminRoute({
      ...{ method: 'GET', path: '/admin/v1/spend', role: 'read', tag: 'Spend', query: SpendInput },
      summary: 'Report what was spent, by whatever is asked for',
      description:
        'Days are UTC. By `user`, which counts the end users of keys with `trustUser`, also by `key` and `day` alone, and of whole days.',
      answers: {
        200: { description: 'A page of sums; `next` is null on the last one', schema: Report, headers: ['x-next'] },
        409: refused('There is no database of accounts.'),
      },
      async act({ query, exchange }) {
        const isCsv =
          query.format === 'csv' ||
          (query.format === undefined && exchange.head.parameterHeaders[ACCEPT]?.includes('text/csv') === true)
        return report(context, query, isCsv)
      },
    }),
  ]
}

async function report(context: AdminContext, input: Static<typeof SpendInput>, isCsv: boolean): Promise<AdminAnswer> {
  const by = readDimensions(input.by)
  const now = new Date()
  const fromMs = readHour('from', input.from) ?? Date.UTC(now.getUTCFullYear(), now.getUTCMonth())
  const toMs = readHour('to', input.to) ?? Math.ceil((now.getTime() + 1) / DAY_MS) * DAY_MS
  if (fromMs >= toMs) throw invalid('from', 'must be before `to`')
  if (by.includes('user') && (fromMs % DAY_MS !== 0 || toMs % DAY_MS !== 0))
    throw invalid('by', 'user: only of whole days')
  const after = input.after === undefined ? null : readCursor(input.after, by)
  const page = await storeOf(context).reportSpend({ fromMs, toMs, by, after, limit: input.limit })
  const next = page.next === null ? null : cursorText(page.next)
  const data = page.rows.map(shown)
  if (isCsv) {
    const titles = [...by.flatMap((name) => (name === 'key' ? ['key', 'keyId'] : [name])), ...Object.keys(SUM)]
    const rows = data.map((row) =>
      titles.map((title) => (row as Record<string, string | number | null>)[title] ?? null),
    )
    const headers = [['content-type', CSV_TYPE] as const, ...(next === null ? [] : [['x-next', next] as const])]
    return { status: 200, body: csvOf(titles, rows), headers }
  }
  const body = { from: timeText(fromMs), to: timeText(toMs), by, data, total: shown(page.total), next }
  return { status: 200, body }
}

function shown<Sum extends SpendSum | SpendRow>({ costNano, unpriced, ...row }: Sum) {
  return { ...row, usd: costNano / NANO_PER_DOLLAR, unpriced }
}

/** @throws invalid_request */
function readDimensions(text: string): SpendDimension[] {
  const names = [...new Set(text.split(',').map((name) => name.trim()))]
  const by = names.map((name) => {
    const known = SPEND_DIMENSIONS.find((each) => each === name)
    if (known === undefined) throw invalid('by', `must be some of ${SPEND_DIMENSIONS.join(', ')}`)
    return known
  })
  if (by.includes('user') && !by.every((name) => BESIDE_USER.includes(name))) {
    throw invalid('by', `user: only with ${BESIDE_USER.filter((name) => name !== 'user').join(' and ')}`)
  }
  return by
}

/** Null where there is none. @throws invalid_request */
function readHour(param: string, text: string | undefined): number | null {
  if (text === undefined) return null
  const ms = Date.parse(text)
  if (Number.isFinite(ms) && ms % HOUR_MS === 0) return ms
  throw invalid(param, 'must be a day, or a time in ISO 8601 that is a whole hour')
}

/** What the page has ended with, then its total, as base64url. */
function cursorText({ at, total }: SpendCursor): string {
  return Buffer.from(JSON.stringify([...at, ...COUNT_NAMES.map((name) => total[name])])).toString('base64url')
}

/** @throws invalid_request for what no page of these dimensions has ended with */
function readCursor(text: string, by: readonly SpendDimension[]): SpendCursor {
  const groups = by.flatMap((name) => (name === 'key' ? ['string', 'string'] : [name === 'day' ? 'number' : 'string']))
  const types = [...groups, ...COUNT_NAMES.map(() => 'number')]
  try {
    const read: unknown = JSON.parse(Buffer.from(text, 'base64url').toString())
    const fits = (value: unknown, at: number): boolean => typeof value === types[at] && !String(value).includes('\0')
    if (Array.isArray(read) && read.length === types.length && read.every(fits)) {
      const counts = COUNT_NAMES.map((name, i) => [name, read[groups.length + i]])
      return { at: read.slice(0, groups.length), total: Object.fromEntries(counts) as RollupCounts }
    }
  } catch {
    // Not even JSON.
  }
  throw invalid('after', 'must be `next` of a page of the same report')
}

function invalid(param: string, message: string): GatewayError {
  return new GatewayError('invalid_request', { message: `${param}: ${message}`, param })
}
