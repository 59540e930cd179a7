// The last requests of this process, with the members of their log lines.
import { Type } from 'typebox'
import { GatewayError } from '../../errors.js'
import { OUTCOMES } from '../../model/event.js'
import { type AdminContext } from '../context.js'
import { type AdminRoute, adminRoute } from '../http/admin-route.js'
import { nullable, refused, Silent, Time, timeText } from '../http/answers.js'

const RequestFilter = Type.Object(
  {
    id: Type.Optional(Type.String({ description: 'As in the log and in x-request-id' })),
    key: Type.Optional(Type.String({ description: 'Name of a gateway key' })),
    model: Type.Optional(Type.String({ description: 'As the client wrote it' })),
    provider: Type.Optional(Type.String()),
    surface: Type.Optional(Type.String({ description: 'The client’s API' })),
    outcome: Type.Optional(Type.Enum([...OUTCOMES])),
    status: Type.Optional(Type.Integer({ minimum: 100, maximum: 599 })),
    failed: Type.Optional(
      Type.Boolean({
        description: 'Those that failed by no fault of their client: 5xx, or broken off by provider or gateway',
      }),
    ),
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
    hasBody: Type.Boolean({ description: 'Its body is kept and can be sent again' }),
  },
  { description: 'Beside these the members of the log line, docs/reference/log.md' },
)

const Body = Type.Object({
  id: Type.String(),
  path: Type.String({ description: 'Of the client’s API' }),
  key: nullable(Type.String({ description: 'Name of its gateway key' })),
  body: Type.String(),
})
const NO_BODY = refused('The body of no such request is kept, or its key is another one now.')
const EVENT_STREAM = 'text/event-stream'

/** The routes of requests that have ended. */
export function requestRoutes({ node, loops, trials, audit }: AdminContext): AdminRoute[] {
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
        const data = answers.map(({ atMs, loop, line, hasBody }) => {
          return { node, loop, endedAt: timeText(atMs), ...line, hasBody }
        })
        return { status: 200, body: { data, silent } }
      },
    }),
    adminRoute({
      ...{ method: 'GET', path: '/admin/v1/requests/:id/body', role: 'write', tag: 'Requests' },
      summary: 'Get the body of one of the last requests, where bodies are kept',
      description: 'None is kept unless `admin.maxKeptBytes` is set, and none in which a secret of the gateway is.',
      answers: { 200: { description: 'The body as the client sent it', schema: Body }, 404: NO_BODY },
      async act({ name, operator: { name: by } }) {
        const { path, key, bytes } = await loops.body(name)
        audit.note({ by, action: 'request.body', target: name, before: null, after: { path, key } })
        return { status: 200, body: { id: name, path, key, body: new TextDecoder().decode(bytes) } }
      },
    }),
    adminRoute({
      ...{ method: 'POST', path: '/admin/v1/requests/:id/replay', role: 'write', tag: 'Requests' },
      summary: 'Send one of the last requests again, where bodies are kept',
      description:
        'Its body is sent under the key that it had, without its headers, and answered here as a [trial](#trials) is: limited, metered and logged as any other request of that key.',
      answers: {
        200: {
          description: 'The answer of that API; a stream if the body asks for one',
          schema: Type.String(),
          media: EVENT_STREAM,
        },
        404: NO_BODY,
        409: refused('The key is disabled or has expired.'),
        503: refused('The gateway is draining or overloaded.'),
      },
      async act({ name, operator: { name: by }, exchange }) {
        const { path, key, owner, bytes: body } = await loops.body(name)
        const start = await trials.prepare(key, path, owner)
        if (exchange.isOver) return null
        audit.note({ by, action: 'request.replay', target: name, before: null, after: { path, key } })
        const isAllowed = (): boolean => exchange.isStillKnown
        exchange.passOn((facts, sink) => start({ ...facts, body: body.slice(), isAllowed }, sink))
        return null
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
