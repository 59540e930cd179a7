// Budgets: what may be spent in which time, with what is spent and reserved of it now.
import { type Static, Type } from 'typebox'
import { MAX_SUBJECT } from '../../accounts/budgets/memory.js'
import {
  BUDGET_PERIODS,
  type BudgetStatus,
  type BudgetTerms,
  type BudgetUnit,
  MAX_BUDGET,
} from '../../accounts/types.js'
import { GatewayError } from '../../errors.js'
import { type AdminContext } from '../context.js'
import { type AdminRoute, adminRoute } from '../http/admin-route.js'
import { nullable, refused, Time, timeText } from '../http/answers.js'
import { etagOf, versionOf } from '../http/etag.js'
import { Name, pageFields, storeOf, unknown } from './records.js'

const NANO_PER_USD = 1_000_000_000
const MAX_USD = MAX_BUDGET / NANO_PER_USD
const MAX_SCOPE = MAX_SUBJECT + 'user:team:'.length
const MAX_REASON = 512
const MAX_USER = 256
/** Of a key or team: one for each unit and period. */
const MAX_INLINE = BUDGET_PERIODS.length * 2

const Per = Type.Enum([...BUDGET_PERIODS], { description: 'UTC; weeks begin on Monday' })
const Usd = Type.Number({ exclusiveMinimum: 0, maximum: MAX_USD, description: 'Dollars, to the billionth' })
const Tokens = Type.Integer({ minimum: 1, maximum: MAX_BUDGET, description: 'Input and output tokens' })

/** The budgets that belong to a key or team, as they are given and shown. */
export const InlineBudgets = Type.Array(
  Type.Object({ usd: Type.Optional(Usd), tokens: Type.Optional(Tokens), per: Per }, { additionalProperties: false }),
  { maxItems: MAX_INLINE, description: 'Each with `usd` or `tokens`; named `key:<name>:<per>` among the budgets' },
)
type InlineInput = Static<typeof InlineBudgets>

const ShownBudget = Type.Object({
  id: Type.String(),
  name: Type.String(),
  scope: Type.String(),
  per: Per,
  timezone: Type.String(),
  usd: Type.Optional(Usd),
  tokens: Type.Optional(Tokens),
  spent: Type.Number({ description: 'In the present window, in dollars or tokens' }),
  reserved: Type.Number({ description: 'Held by requests that are running' }),
  left: nullable(Type.Number({ description: 'Null where each end user has an amount left of its own' })),
  users: nullable(
    Type.Integer({ description: 'End users that have spent in the present window, where they are told apart' }),
  ),
  resetsAt: nullable(Time),
  createdAt: Time,
})
const NewBudgetBody = Type.Object(
  {
    name: Name,
    scope: Type.String({
      minLength: 1,
      maxLength: MAX_SCOPE,
      description:
        '`gateway`, `team:<name>`, `key:<name>`, `model:<glob>` or `tag:<tag>`; for each end user apart `user`, `user:team:<name>` or `user:key:<name>`',
    }),
    per: Per,
    timezone: Type.Enum(['UTC'], { default: 'UTC' }),
    usd: Type.Optional(Usd),
    tokens: Type.Optional(Tokens),
  },
  { additionalProperties: false },
)
const BudgetPatchBody = Type.Object(
  { usd: Type.Optional(Usd), tokens: Type.Optional(Tokens) },
  { additionalProperties: false },
)
const EndUser = Type.String({
  minLength: 1,
  maxLength: MAX_USER,
  description: 'An end user, of a budget that tells them apart',
})
const AdjustBody = Type.Object(
  {
    usd: Type.Optional(Type.Number({ minimum: -MAX_USD, maximum: MAX_USD, description: 'Negative for a refund' })),
    tokens: Type.Optional(Type.Integer({ minimum: -MAX_BUDGET, maximum: MAX_BUDGET })),
    reason: Type.String({ minLength: 1, maxLength: MAX_REASON, description: 'For the audit' }),
    user: Type.Optional(EndUser),
  },
  { additionalProperties: false },
)
const BudgetQuery = Type.Object({ user: Type.Optional(EndUser) }, { additionalProperties: false })
const BudgetPage = Type.Object(pageFields, { additionalProperties: false })
const UNKNOWN = refused('There is no such budget.')
const STALE = refused('It was changed since the ETag in If-Match was read.')
const NO_STORE = refused('There is no database of accounts.')

/** The routes of budgets. */
export function budgetRoutes(context: AdminContext): AdminRoute[] {
  const row = { tag: 'Budgets' } as const
  return [
    adminRoute({
      ...{ ...row, method: 'GET', path: '/admin/v1/budgets', role: 'read', query: BudgetPage },
      summary: 'List the budgets by name',
      description: 'Those of keys and teams as well, such as `key:app1:month`.',
      answers: {
        200: {
          description: 'A page of budgets; `next` is null on the last one',
          schema: Type.Object({ data: Type.Array(ShownBudget), next: nullable(Type.String()) }),
        },
      },
      async act({ query: { after, limit } }) {
        const store = context.accounts()
        const page = { after: after ?? null, limit }
        const { budgets, next } = store === null ? { budgets: [], next: null } : await store.listBudgets(page)
        return { status: 200, body: { data: budgets.map(shown), next } }
      },
    }),
    adminRoute({
      ...{ ...row, method: 'POST', path: '/admin/v1/budgets', role: 'write', body: NewBudgetBody },
      summary: 'Create a budget; it holds for the next request',
      answers: {
        201: { description: 'The budget', schema: ShownBudget, headers: ['etag'] },
        200: { description: 'The budget was there with the same contents', schema: ShownBudget, headers: ['etag'] },
        404: refused('There is no such key or team in the database.'),
        409: refused('The name has other contents, or there is no database.'),
        507: refused('There are as many budgets as accounts.maxKeys allows.'),
      },
      async act({ body: { timezone: _, usd, tokens, ...body }, operator: { name: by } }) {
        const budget = { name: body.name, scope: body.scope, ...readTerms({ usd, tokens, per: body.per }, '') }
        const { budget: after, isNew } = await storeOf(context).createBudget(budget, { by })
        if (isNew) context.audit.log({ by, action: 'budget.create', target: after.name, before: null, after })
        return { status: isNew ? 201 : 200, body: shown(after), headers: etagOf(after.version) }
      },
    }),
    adminRoute({
      ...{ ...row, method: 'GET', path: '/admin/v1/budgets/:name', role: 'read', query: BudgetQuery },
      summary: 'Get a budget, or what one end user has spent of it',
      answers: { 200: { description: 'The budget', schema: ShownBudget, headers: ['etag'] }, 404: UNKNOWN },
      async act({ name, query: { user = null } }) {
        const budget = (await context.accounts()?.getBudget(name, user)) ?? null
        if (budget === null) throw unknown('budget')
        return { status: 200, body: shown(budget), headers: etagOf(budget.version) }
      },
    }),
    adminRoute({
      ...{ ...row, method: 'PATCH', path: '/admin/v1/budgets/:name', role: 'write', body: BudgetPatchBody },
      summary: 'Change how much may be spent; what is spent stays',
      description: 'A budget keeps its scope, its period and its unit: create another one for these.',
      answers: {
        200: { description: 'The budget as it is now', schema: ShownBudget, headers: ['etag'] },
        ...{ 404: UNKNOWN, 409: NO_STORE, 412: STALE },
      },
      async act({ name, body, ifMatch, operator: { name: by } }) {
        const store = storeOf(context)
        const change = { by, ifVersion: versionOf(ifMatch) }
        const before = await store.getBudget(name)
        const after = await store.updateBudget(name, readTerms({ ...body, per: 'total' }, ''), change)
        context.audit.log({ by, action: 'budget.update', target: name, before, after })
        return { status: 200, body: shown(after), headers: etagOf(after.version) }
      },
    }),
    adminRoute({
      ...{ ...row, method: 'DELETE', path: '/admin/v1/budgets/:name', role: 'write' },
      summary: 'Delete a budget, with what was spent of it',
      answers: { 204: { description: 'It is deleted' }, 404: UNKNOWN, 409: NO_STORE, 412: STALE },
      async act({ name, ifMatch, operator: { name: by } }) {
        const store = storeOf(context)
        const before = await store.getBudget(name)
        await store.deleteBudget(name, { by, ifVersion: versionOf(ifMatch) })
        context.audit.log({ by, action: 'budget.delete', target: name, before, after: null })
        return { status: 204, body: null }
      },
    }),
    adminRoute({
      ...{ ...row, method: 'POST', path: '/admin/v1/budgets/:name/adjust', role: 'write', body: AdjustBody },
      summary: 'Add to what is spent in the present window, or refund some of it',
      answers: {
        200: { description: 'The budget as it is now', schema: ShownBudget, headers: ['etag'] },
        ...{ 404: UNKNOWN, 409: NO_STORE },
      },
      async act({ name, body: { usd, tokens, reason, user = null }, operator: { name: by } }) {
        const store = storeOf(context)
        const { unit, amount } = readAmount({ usd, tokens }, '')
        const before = await store.getBudget(name, user)
        await store.adjustBudget(name, { unit, amount, reason, user }, { by })
        const after = await store.getBudget(name, user)
        if (after === null) throw unknown('budget')
        const spent = { before: before?.spent ?? null, after: after.spent }
        const changes = { before: { spent: spent.before }, after: { spent: spent.after, reason } }
        context.audit.log({ by, action: 'budget.adjust', target: name, ...changes })
        return { status: 200, body: shown(after), headers: etagOf(after.version) }
      },
    }),
  ]
}

/**
 * The budgets of a key or team as the store has them.
 * @throws invalid_request for one without `usd` and `tokens`, or with both
 */
export function readInline(budgets: InlineInput): BudgetTerms[] {
  return budgets.map((budget, i) => readTerms(budget, `budgets.${i}.`))
}

/** @see readInline */
export function showInline(budgets: readonly BudgetTerms[]): object[] {
  return budgets.map(({ unit, limit, per }) => ({ [unit]: inUnit(limit, unit), per }))
}

type Given = { readonly usd?: number | undefined; readonly tokens?: number | undefined }

function readTerms({ per, ...given }: Given & { readonly per: BudgetTerms['per'] }, place: string): BudgetTerms {
  const { unit, amount } = readAmount(given, place)
  // Less than a billionth of a dollar.
  if (amount < 1) throw invalid(`${place}${unit}`, 'must be at least 0.000000001')
  return { unit, limit: amount, per }
}

/** @throws invalid_request unless exactly one is given */
function readAmount({ usd, tokens }: Given, place: string): { readonly unit: BudgetUnit; readonly amount: number } {
  if (usd !== undefined && tokens === undefined) return { unit: 'usd', amount: Math.round(usd * NANO_PER_USD) }
  if (tokens !== undefined && usd === undefined) return { unit: 'tokens', amount: tokens }
  throw invalid(`${place}usd`, 'give either usd or tokens')
}

function invalid(param: string, problem: string): GatewayError {
  return new GatewayError('invalid_request', { message: `${param}: ${problem}`, param })
}

function shown(budget: BudgetStatus): object {
  const { id, name, scope, per, unit, limit, spent, reserved, users, resetsAtMs, createdAtMs } = budget
  return {
    ...{ id, name, scope, per, timezone: 'UTC', [unit]: inUnit(limit, unit) },
    spent: inUnit(spent, unit),
    reserved: inUnit(reserved, unit),
    left: users !== null ? null : inUnit(Math.max(0, limit - spent - reserved), unit),
    users,
    resetsAt: resetsAtMs === null ? null : timeText(resetsAtMs),
    createdAt: timeText(createdAtMs),
  }
}

function inUnit(amount: number, unit: BudgetUnit): number {
  return unit === 'usd' ? amount / NANO_PER_USD : amount
}
