// The last requests of this process, with the members of their log lines.
import { Type } from 'typebox'
import { GatewayError } from '../../errors.js'
import { OUTCOMES } from '../../model/event.js'
import { type AdminContext } from '../context.js'
import { type AdminRoute, adminRoute } from '../http/admin-route.js'
import { Silent, Time, timeText } from '../http/answers.js'

const RequestFilter = Type.Object(
  {
    id: Type.Optional(Type.String({ description: 'As in the log and in x-request-id' })),
    key: Type.Optional(Type.String({ description: 'Name of a gateway key' })),
    model: Type.Optional(Type.String({ description: 'As the client wrote it' })),
    provider: Type.Optional(Type.String()),
    surface: Type.Optional(Type.String({ description: 'The client’s API' })),
    outcome: Type.Optional(Type.Enum([...OUTCOMES])),
    status: Type.Optional(Type.Integer({ minimum: 100, maximum: 599 })),
    before: Type.Optional(Type.String({ description: 'ISO 8601: those that ended before', maxLength: 40 })),
    limit: Type.Integer({ minimum: 1, maximum: 1000, default: 100 }),
  },
  { additionalProperties: false },
)
const Request = Type.Object(
  {
    node: Type.String(),
    loop: Type.Integer(),
    endedAt: Time,
    id: Type.String(),
    outcome: Type.String(),
    status: Type.Integer(),
  },
  { description: 'Beside these the members of the log line, docs/reference/log.md' },
)

/** The route of requests that have ended. */
export function requestRoutes({ node, loops }: AdminContext): AdminRoute[] {
  return [
    adminRoute({
      method: 'GET',
      path: '/admin/v1/requests',
      role: 'read',
      tag: 'Requests',
      summary: 'List the last requests of this process, the newest first',
      description:
        'Each event loop holds the last 800 that reached a provider or were answered from another’s answer, and the last 200 that were refused before.',
      query: RequestFilter,
      answers: {
        200: {
          description: 'Requests that have ended',
          schema: Type.Object({ data: Type.Array(Request), silent: Silent }),
        },
      },
      async act({ query }) {
        const { before, limit, ...filter } = query
        const beforeMs = before === undefined ? {} : { beforeMs: readTime(before) }
        const { answers, silent } = await loops.requests({ ...filter, ...beforeMs }, limit)
        const data = answers.map(({ atMs, loop, line }) => ({ node, loop, endedAt: timeText(atMs), ...line }))
        return { status: 200, body: { data, silent } }
      },
    }),
  ]
}

/** @throws invalid_request */
function readTime(text: string): number {
  const ms = Date.parse(text)
  if (Number.isFinite(ms)) return ms
  throw new GatewayError('invalid_request', { message: 'before: must be a time in ISO 8601', param: 'before' })
}
