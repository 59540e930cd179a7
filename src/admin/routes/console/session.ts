// Sessions of browsers: the console gives an admin key once and is known by a cookie and a token from then on.
import { Type } from 'typebox'
import { type AdminContext } from '../../context.js'
import { type AdminRoute, adminRoute } from '../../http/admin-route.js'

const Who = { name: Type.String({ description: 'Of the admin key' }), role: Type.Enum(['read', 'write']) }
const MAX_KEY_CHARS = 4096

/** The routes of sessions. */
export function sessionRoutes({ audit }: AdminContext): AdminRoute[] {
  const row = { tag: 'Session', path: '/admin/v1/session', role: 'read' } as const
  return [
    adminRoute({
      ...{ ...row, method: 'POST', isOpen: true },
      summary: 'Log in with an admin key, as the console does',
      description:
        'The answer sets a cookie that no script reads. Requests that have no Authorization header are accepted with this cookie and the token as x-csrf-token, for twelve hours or until the key is removed. Wrong keys are counted like those of other requests.',
      body: Type.Object({ key: Type.String({ maxLength: MAX_KEY_CHARS }) }, { additionalProperties: false }),
      answers: {
        200: {
          description: 'Who it is, and the token of the session',
          schema: Type.Object({ ...Who, token: Type.String() }),
          headers: ['set-cookie'],
        },
      },
      act({ body, exchange }) {
        const { operator, token, headers } = exchange.openSession(body.key)
        const { name, role } = operator
        audit.note({ by: name, action: 'session.open', target: name, before: null, after: null })
        return { status: 200, body: { name, role, token }, headers }
      },
    }),
    adminRoute({
      ...{ ...row, method: 'GET' },
      summary: 'Whose key or session this is',
      answers: { 200: { description: 'Name and role', schema: Type.Object(Who) } },
      act: ({ operator: { name, role } }) => ({ status: 200, body: { name, role } }),
    }),
    adminRoute({
      ...{ ...row, method: 'DELETE' },
      summary: 'End the session of this request, if it has one',
      answers: { 204: { description: 'There is no such session any more' } },
      act({ operator: { name }, exchange }) {
        const headers = exchange.endSession()
        if (headers.length > 0) {
          audit.note({ by: name, action: 'session.end', target: name, before: null, after: null })
        }
        return { status: 204, body: null, headers }
      },
    }),
  ]
}
