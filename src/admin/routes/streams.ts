// Open streams: list them over all event loops, cancel one, watch one beside its client.
import { Type } from 'typebox'
import { type AdminContext } from '../context.js'
import { type AdminRoute, adminRoute } from '../http/admin-route.js'
import { nullable, refused, Silent } from '../http/answers.js'
import { type StreamEntry } from '../loops/loop-calls.js'
import { EventReader } from '../watch/event-reader.js'

const Stream = Type.Object({
  id: Type.String({ description: 'Of this process, for DELETE and watch' }),
  node: Type.String(),
  loop: Type.Integer(),
  requestId: Type.String(),
  surface: Type.String(),
  key: nullable(Type.String()),
  model: nullable(Type.String()),
  target: nullable(Type.String({ description: 'provider/model of the present attempt' })),
  transport: Type.String(),
  state: Type.Enum(['waiting', 'first_token', 'streaming', 'parked']),
  position: nullable(Type.Integer({ description: 'By age among those of its event loop that wait, from 1' })),
  attempts: Type.Integer(),
  ageMs: Type.Integer(),
  timeToFirstTokenMs: nullable(Type.Integer()),
  outputTokens: Type.Integer({ description: 'An estimate until the provider reports them' }),
  tokensPerSec: nullable(Type.Number()),
  stream: nullable(Type.String({ description: 'Beginning of the id of the kept stream' })),
})
const StreamFilter = Type.Object(
  {
    key: Type.Optional(Type.String({ description: 'Name of a gateway key' })),
    model: Type.Optional(Type.String()),
    requestId: Type.Optional(Type.String({ description: 'As in the log and in x-request-id' })),
    state: Type.Optional(Type.Enum(['waiting', 'first_token', 'streaming', 'parked'])),
    limit: Type.Integer({ minimum: 1, maximum: 10_000, default: 1000 }),
  },
  { additionalProperties: false },
)
const UNKNOWN = refused('There is no such open stream, or it has just ended.')
/** How often a watch shows that it is alive, and whether it may go on is looked at. */
const KEEPALIVE_MS = 15_000
const ENDED = 'The session has ended, or the admin key was removed.'

/** The routes of open streams. */
export function streamRoutes({ node, loops, audit }: AdminContext): AdminRoute[] {
  const shown = (entry: StreamEntry) => ({ ...entry, node })
  return [
    adminRoute({
      method: 'GET',
      path: '/admin/v1/streams',
      role: 'read',
      tag: 'Streams',
      summary: 'List the open requests of this process, the oldest first',
      query: StreamFilter,
      answers: {
        200: {
          description: 'Open requests; `total` counts those that match, whatever the limit',
          schema: Type.Object({ data: Type.Array(Stream), total: Type.Integer(), silent: Silent }),
        },
      },
      async act({ query }) {
        const { key, model, requestId, state, limit } = query
        const { answers, silent } = await loops.streams()
        const found = answers.filter(
          (entry) =>
            (key === undefined || entry.key === key) &&
            (model === undefined || entry.model === model) &&
            (requestId === undefined || entry.requestId === requestId) &&
            (state === undefined || entry.state === state),
        )
        const data = found.slice(0, limit).map(shown)
        return { status: 200, body: { data, total: found.length, silent } }
      },
    }),
    adminRoute({
      method: 'DELETE',
      path: '/admin/v1/streams/:id',
      role: 'write',
      tag: 'Streams',
      summary: 'Cancel an open request',
      description:
        'Its provider is cut off, and its client gets an error: a status before the stream has begun, an error frame afterwards. The log line has the outcome client_gone and cancelledBy.',
      answers: { 204: { description: 'It is cancelled' }, 404: UNKNOWN },
      async act({ name, operator }) {
        const entry = await loops.cancel(name, operator.name)
        audit.note({
          by: operator.name,
          action: 'stream.cancel',
          target: entry.requestId,
          before: shown(entry),
          after: null,
        })
        return { status: 204, body: null }
      },
    }),
    adminRoute({
      method: 'GET',
      path: '/admin/v1/streams/:id/watch',
      role: 'read',
      tag: 'Streams',
      summary: 'Watch an open request: what its client gets, as it gets it',
      description:
        'Server-sent events: `stream` with the entry of the list, `frames` with `{"text"}` in the form of the client’s API (`{"bytes"}`, a number, for audio), `end` with outcome, status and error. A watcher that does not keep up, or whose key or session is no longer valid, gets `cut`; the stream itself is never held up.',
      answers: {
        200: { description: 'Events until the request ends', schema: Type.String(), media: 'text/event-stream' },
        404: UNKNOWN,
      },
      async act({ name, operator, exchange }) {
        const reader = new EventReader(node)
        const stream = await loops.watch(name, () => reader.poke())
        if (exchange.isOver) {
          stream.detach()
          return null
        }
        audit.note({
          by: operator.name,
          action: 'stream.watch',
          target: stream.entry.requestId,
          before: null,
          after: null,
        })
        const timer = setInterval(() => {
          if (exchange.isStillKnown) exchange.keepalive()
          else reader.stop(ENDED)
        }, KEEPALIVE_MS)
        exchange.onLeave = () => {
          clearInterval(timer)
          reader.detach()
        }
        exchange.follow((onReadable) => reader.begin(stream, onReadable))
        return null
      },
    }),
  ]
}
