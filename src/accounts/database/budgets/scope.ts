// What budgets apply to, as operators write it and as the database has it.
import { GatewayError } from '../../../errors.js'
import { type SubjectKind } from '../../budgets/memory.js'
import { digestOfUser, userBudgetId } from '../../budgets/user-slots.js'
import { type BudgetRecord } from '../../types.js'
import { type Database } from '../rows.js'

/** `subject`: as in BudgetFacts. */
export type Subject = { readonly kind: SubjectKind; readonly subject: string }

/** A budget as it stands in the database, with the names that belong to its subject. */
export type ScopeRow = {
  readonly kind: string
  readonly subject: string
  readonly key_name: string | null
  readonly team_name: string | null
}

/** Before the scope of the requests whose end users are told apart. */
const OF_USERS = 'user:'
const SCOPE = /^(team|key|model|tag|user:team|user:key):(.+)$/s

/** Keys and teams by name or id. @throws not_found for one that is not there; invalid_request for another kind */
export async function subjectOf(db: Database, scope: string): Promise<Subject> {
  if (scope === 'gateway' || scope === 'user') return { kind: scope, subject: '' }
  const [, given = '', rest = ''] = SCOPE.exec(scope) ?? []
  if (given === 'model' || given === 'tag') return { kind: given, subject: rest }
  const isOfEach = given.startsWith(OF_USERS)
  const kind = isOfEach ? given.slice(OF_USERS.length) : given
  if (kind !== 'team' && kind !== 'key') {
    const message =
      'scope: must be gateway, team:<name>, key:<name>, model:<glob>, tag:<tag>, user, user:team:<name> or user:key:<name>'
    throw new GatewayError('invalid_request', { message, param: 'scope' })
  }
  const table = kind === 'key' ? 'keys' : 'teams'
  const found = await db
    .selectFrom(table)
    .select(['id', 'name'])
    .where((row) => row.or([row('id', '=', rest), row('name', '=', rest)]))
    .execute()
  const match = found.find(({ id }) => id === rest) ?? found[0]
  if (match !== undefined) return { kind: isOfEach ? 'user' : kind, subject: match.id }
  throw new GatewayError('not_found', { message: `There is no ${kind} ${rest} in the database.`, param: 'scope' })
}

/** The scope as operators write it. */
export function scopeOf({ kind, subject, key_name, team_name }: ScopeRow): string {
  if (kind === 'gateway') return kind
  if (kind === 'user') {
    if (subject === '') return kind
    return OF_USERS + (team_name === null ? `key:${key_name ?? subject}` : `team:${team_name}`)
  }
  return `${kind}:${(kind === 'key' ? key_name : kind === 'team' ? team_name : null) ?? subject}`
}

/** Each end user has a part of its own. */
export function isOfUsers({ scope }: Pick<BudgetRecord, 'scope'>): boolean {
  return scope === 'user' || scope.startsWith(OF_USERS)
}

/**
 * By what the part of a user is charged; without a user the budget itself.
 * @throws invalid_request for a user where the budget tells none apart; without one where it does, if `isOne`
 */
export function partOf({ id, name, scope }: BudgetRecord, user: string | null, isOne = false): string {
  const tellsApart = isOfUsers({ scope })
  if (user !== null && tellsApart) return userBudgetId(id, digestOfUser(user))
  if (user === null && !(isOne && tellsApart)) return id
  const message = tellsApart
    ? `user: must name an end user, since ${name} tells them apart.`
    : `user: ${name} does not tell end users apart`
  throw new GatewayError('invalid_request', { message, param: 'user' })
}
