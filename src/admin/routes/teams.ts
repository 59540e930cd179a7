// Teams: what their keys may use together, and the limits that hold for all of them.
import { type Static, Type } from 'typebox'
import { type TeamPatch, type TeamRecord } from '../../accounts/types.js'
import { type AdminContext } from '../context.js'
import { type AdminRoute, adminRoute } from '../http/admin-route.js'
import { nullable, refused, Time, timeText } from '../http/answers.js'
import { etagOf, versionOf } from '../http/etag.js'
import { InlineBudgets, readInline, showInline } from './budgets.js'
import { Limits, LimitsPatch, Metadata, Models, Name, pageFields, storeOf, unknown } from './records.js'

const ShownTeam = Type.Object({
  id: Type.String(),
  name: Type.String(),
  models: Models,
  limits: Limits,
  budgets: InlineBudgets,
  metadata: Metadata,
  disabled: Type.Boolean(),
  createdAt: Time,
})
const NewTeamBody = Type.Object(
  {
    name: Name,
    models: Type.Array(Models.items, { minItems: 1, maxItems: 100, default: ['*'] }),
    limits: Limits,
    budgets: Type.Array(InlineBudgets.items, { maxItems: 10, default: [] }),
    metadata: Type.Record(Type.String({ pattern: '^[\\x20-\\x7e]{1,64}$' }), Type.String({ maxLength: 1024 }), {
      default: {},
    }),
    disabled: Type.Boolean({ default: false }),
  },
  { additionalProperties: false },
)
const TeamPatchBody = Type.Object(
  {
    models: Type.Optional(Models),
    limits: Type.Optional(LimitsPatch),
    budgets: Type.Optional(InlineBudgets),
    metadata: Type.Optional(Metadata),
    disabled: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
)
const TeamPage = Type.Object(pageFields, { additionalProperties: false })
const UNKNOWN = refused('There is no such team.')
const STALE = refused('It was changed since the ETag in If-Match was read.')
const NO_STORE = refused('There is no database of accounts.')

/** The routes of teams. */
export function teamRoutes(context: AdminContext): AdminRoute[] {
  const row = { tag: 'Teams' } as const
  return [
    adminRoute({
      ...{ ...row, method: 'GET', path: '/admin/v1/teams', role: 'read', query: TeamPage },
      summary: 'List the teams by name',
      answers: {
        200: {
          description: 'A page of teams; `next` is null on the last one',
          schema: Type.Object({ data: Type.Array(ShownTeam), next: nullable(Type.String()) }),
        },
      },
      async act({ query: { after, limit } }) {
        const store = context.accounts()
        const page = { after: after ?? null, limit }
        const { teams, next } = store === null ? { teams: [], next: null } : await store.listTeams(page)
        return { status: 200, body: { data: teams.map(shown), next } }
      },
    }),
    adminRoute({
      ...{ ...row, method: 'POST', path: '/admin/v1/teams', role: 'write', body: NewTeamBody },
      summary: 'Create a team',
      answers: {
        201: { description: 'The team', schema: ShownTeam, headers: ['etag'] },
        200: { description: 'The team was there with the same contents', schema: ShownTeam, headers: ['etag'] },
        409: refused('The name has other contents, or there is no database.'),
      },
      async act({ body, operator: { name: by } }) {
        const wanted = { ...body, budgets: readInline(body.budgets) }
        const { team, isNew } = await storeOf(context).createTeam(wanted, { by })
        if (isNew) context.audit.log({ by, action: 'team.create', target: team.name, before: null, after: team })
        return { status: isNew ? 201 : 200, body: shown(team), headers: etagOf(team.version) }
      },
    }),
    adminRoute({
      ...{ ...row, method: 'GET', path: '/admin/v1/teams/:name', role: 'read' },
      summary: 'Get a team',
      answers: { 200: { description: 'The team', schema: ShownTeam, headers: ['etag'] }, 404: UNKNOWN },
      async act({ name }) {
        const team = (await context.accounts()?.getTeam(name)) ?? null
        if (team === null) throw unknown('team')
        return { status: 200, body: shown(team), headers: etagOf(team.version) }
      },
    }),
    adminRoute({
      ...{ ...row, method: 'PATCH', path: '/admin/v1/teams/:name', role: 'write', body: TeamPatchBody },
      summary: 'Change a team; members that are absent stay as they are',
      answers: {
        200: { description: 'The team as it is now', schema: ShownTeam, headers: ['etag'] },
        ...{ 404: UNKNOWN, 409: NO_STORE, 412: STALE },
      },
      async act({ name, body, ifMatch, operator: { name: by } }) {
        const store = storeOf(context)
        const before = await store.getTeam(name)
        const { budgets, ...fields } = body as TeamPatchInput
        const patch: TeamPatch = budgets === undefined ? fields : { ...fields, budgets: readInline(budgets) }
        const team = await store.updateTeam(name, patch, { by, ifVersion: versionOf(ifMatch) })
        context.audit.log({ by, action: 'team.update', target: name, before, after: team })
        return { status: 200, body: shown(team), headers: etagOf(team.version) }
      },
    }),
    adminRoute({
      ...{ ...row, method: 'DELETE', path: '/admin/v1/teams/:name', role: 'write' },
      summary: 'Delete a team that has no keys',
      answers: {
        204: { description: 'It is deleted' },
        ...{ 404: UNKNOWN, 409: refused('It has keys, or there is no database.'), 412: STALE },
      },
      async act({ name, ifMatch, operator: { name: by } }) {
        const store = storeOf(context)
        const before = await store.getTeam(name)
        await store.deleteTeam(name, { by, ifVersion: versionOf(ifMatch) })
        context.audit.log({ by, action: 'team.delete', target: name, before, after: null })
        return { status: 204, body: null }
      },
    }),
  ]
}

type TeamPatchInput = Omit<TeamPatch, 'budgets'> & { readonly budgets?: Static<typeof InlineBudgets> }

function shown({ version: _, createdAtMs, budgets, ...team }: TeamRecord): object {
  return { ...team, budgets: showInline(budgets), createdAt: timeText(createdAtMs) }
}
