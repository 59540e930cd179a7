// The running configuration, where each value is from, and what the last reload changed; and the trail of what operators did.
import { Type } from 'typebox'
import { type AdminContext } from '../context.js'
import { type AdminRoute, adminRoute } from '../http/admin-route.js'
import { nullable, Time, timeText } from '../http/answers.js'

const Change = Type.Object({ path: Type.String(), before: Type.Unknown(), after: Type.Unknown() })
const Reload = Type.Object({
  at: Time,
  result: Type.Enum(['ok', 'unchanged', 'rejected']),
  reason: nullable(Type.String()),
  restartNeededFor: Type.Array(Type.String()),
  changes: Type.Array(Change),
})
const Report = Type.Object({
  version: Type.String(),
  node: Type.String(),
  startedAt: Time,
  file: nullable(Type.String()),
  warnings: Type.Array(Type.String()),
  config: Type.Object({}, { description: 'As `sluice check` prints it, secrets masked' }),
  origins: Type.Record(Type.String(), Type.String(), {
    description:
      'Option -> where it was set: file:line, an environment variable or an option of the command line. What is not in it is a default.',
  }),
  reload: nullable(Reload),
})
const AuditItem = Type.Object({
  seq: Type.Integer(),
  at: Time,
  by: Type.String({ description: 'Name of the admin key' }),
  action: Type.String(),
  target: Type.String(),
  before: Type.Unknown(),
  after: Type.Unknown(),
})
const AuditPage = Type.Object(
  {
    after: Type.Optional(
      Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: '`next` of the page before' }),
    ),
    limit: Type.Integer({ minimum: 1, maximum: 1000, default: 100 }),
  },
  { additionalProperties: false },
)

/** The routes of the configuration and the audit. */
export function configurationRoutes(context: AdminContext): AdminRoute[] {
  const { node, audit, version } = context
  return [
    adminRoute({
      method: 'GET',
      path: '/admin/v1/config',
      role: 'read',
      tag: 'Configuration',
      summary: 'The configuration as it takes effect, where each value is from, and the last reload',
      answers: { 200: { description: 'The configuration', schema: Report } },
      act() {
        const { startedAtMs, reload, ...report } = context.config()
        const shown = reload === null ? null : shownReload(reload)
        const head = { version: version(), node, startedAt: timeText(startedAtMs) }
        return { status: 200, body: { ...head, ...report, reload: shown } }
      },
    }),
    adminRoute({
      method: 'GET',
      path: '/admin/v1/audit',
      role: 'read',
      tag: 'Audit',
      summary: 'What operators did, the newest first',
      query: AuditPage,
      answers: {
        200: {
          description: 'Entries; `next` is null on the last page',
          schema: Type.Object({ data: Type.Array(AuditItem), next: nullable(Type.Integer()) }),
        },
      },
      async act({ query }) {
        const { items, next } = await audit.list(query.after ?? null, query.limit)
        const data = items.map(({ atMs, ...item }) => ({ ...item, at: timeText(atMs) }))
        return { status: 200, body: { data, next } }
      },
    }),
  ]
}

function shownReload({
  atMs,
  result,
  reason,
  kept,
  changes,
}: NonNullable<ReturnType<AdminContext['config']>['reload']>) {
  return { at: timeText(atMs), result, reason, restartNeededFor: kept, changes }
}
