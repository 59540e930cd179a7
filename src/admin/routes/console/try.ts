// Trials: a request that an operator sends under a key of a client, as the console's playground does. It is answered as that client would
// be, by another origin than the one that clients use.
import { Type } from 'typebox'
import { type AdminContext } from '../../context.js'
import { type AdminRoute, adminRoute } from '../../http/admin-route.js'
import { refused } from '../../http/answers.js'

const KeyOfTrial = Type.Object(
  { key: Type.Optional(Type.String({ maxLength: 64, description: 'Name of a gateway key; without keys none' })) },
  { additionalProperties: false },
)
const CLOSED = refused('The key is disabled or has expired.')
const EVENT_STREAM = 'text/event-stream'

/** The routes of trials. */
export function tryRoutes({ trials, audit }: AdminContext): AdminRoute[] {
  return [
    adminRoute({
      ...{ method: 'GET', path: '/admin/v1/models', role: 'read', tag: 'Try' },
      summary: 'List the models that a key may use',
      query: KeyOfTrial,
      answers: {
        200: {
          description: 'Their names, as GET /v1/models has them',
          schema: Type.Object({ data: Type.Array(Type.Object({ id: Type.String() })) }),
        },
        404: refused('There is no such key.'),
        409: CLOSED,
      },
      async act({ query }) {
        const models = await trials.models(query.key ?? null)
        return { status: 200, body: { data: models.map((id) => ({ id })) } }
      },
    }),
    adminRoute({
      ...{ method: 'POST', path: '/admin/v1/try/:path', role: 'write', tag: 'Try' },
      summary: 'Send a request as a client with a key would',
      description:
        'The path is that of the client’s API without its first slash, encoded, with its query where it needs one: v1%2Fchat%2Fcompletions. The body is that of the API, up to 256 KiB, and the answer that of the API, its errors included. The request is limited, metered and logged as any other of that key. It is cancelled when a reload removes the admin key that sent it.',
      query: KeyOfTrial,
      answers: {
        200: {
          description: 'The answer of that API; a stream if the body asks for one',
          schema: Type.String(),
          media: EVENT_STREAM,
        },
        404: refused('There is no such key, or nothing can be tried at this path.'),
        409: CLOSED,
        503: refused('The gateway is draining or overloaded.'),
      },
      act({ name, query, operator, exchange }) {
        const { key = null } = query
        const path = `/${name}`
        exchange.readBody((bytes) => {
          const body = new Uint8Array(bytes)
          trials.prepare(key, path).then(
            (start) => {
              if (exchange.isOver) return
              audit.note({ by: operator.name, action: 'try', target: path, before: null, after: { key } })
              const isAllowed = (): boolean => exchange.isStillKnown
              exchange.passOn((facts, sink) => start({ ...facts, body, isAllowed }, sink))
            },
            (thrown: unknown) => exchange.reject(thrown),
          )
        })
        return null
      },
    }),
  ]
}
