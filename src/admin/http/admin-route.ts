// A route of the admin API as data: method, path, role, the schemas of what it takes and answers, and what it does. The same row is
// served, checks its input, and is described in the API's document.
import { type Static, type TObject, type TSchema, Type } from 'typebox'
import { type AdminRole } from '../../config/listener-types.js'
import { toGatewayError } from '../../errors.js'
import { type HeaderList } from '../../pipeline/sink.js'
import { type HttpRequest, type HttpResponse } from '../../server/engine/engine.js'
import { ClientResponse } from '../../server/engine/response.js'
import { type EngineRoute } from '../../server/http/http.js'
import { type Operator, requireRole } from '../admin-keys.js'
import { AdminExchange, type AdminGround, MAX_BODY_BYTES, MAX_OPEN_BODY_BYTES } from './admin-exchange.js'
import { readBody, readQuery } from './input.js'

export type AdminMethod = 'GET' | 'POST' | 'PATCH' | 'DELETE'

/** What a route gets of a request. */
export type AdminCall<Query, Body> = {
  readonly operator: Operator
  /** The part of the path that may be anything; empty where it has none. */
  readonly name: string
  readonly query: Query
  readonly body: Body
  /** The If-Match header; empty without one. */
  readonly ifMatch: string
  readonly exchange: AdminExchange
}

/** `body`: null for an answer without one. */
export type AdminAnswer = {
  readonly status: number
  readonly body: object | string | null
  readonly headers?: HeaderList
}

/** An answer in the API's document. `media`: JSON unless it says otherwise. */
export type DescribedAnswer = {
  readonly description: string
  readonly schema?: TSchema
  readonly media?: string
  readonly headers?: readonly string[]
}

export type AdminRoute = {
  readonly method: AdminMethod
  /** At most one part is `:name`. */
  readonly path: string
  readonly role: AdminRole
  /** Whoever asks is not identified; by default it needs a key. */
  readonly isOpen?: boolean
  readonly tag: string
  readonly summary: string
  readonly description?: string
  readonly query: TObject
  readonly body: TObject | null
  /** Statuses that are no errors of every route. */
  readonly answers: Readonly<Record<number, DescribedAnswer>>
  /** Null: it answers by itself. */
  readonly act: (call: AdminCall<never, never>) => AdminAnswer | null | Promise<AdminAnswer | null>
}

const NOTHING = Type.Object({}, { additionalProperties: false })

/** A route of which the schemas decide what `act` gets. */
export function adminRoute<Query extends TObject = typeof NOTHING, Body extends TObject = typeof NOTHING>(
  row: Omit<AdminRoute, 'query' | 'body' | 'act'> & {
    readonly query?: Query
    readonly body?: Body
    readonly act: (call: AdminCall<Static<Query>, Static<Body>>) => AdminAnswer | null | Promise<AdminAnswer | null>
  },
): AdminRoute {
  const { query = NOTHING, body = null, act } = row
  return { ...row, query, body, act: act as AdminRoute['act'] }
}

/** What the engine calls: it never throws, and it is never left without an abort handler or an answer. */
export function createAdminRoute(ground: AdminGround, route: AdminRoute): EngineRoute {
  return serve(ground, (exchange, req) => {
    if (route.isOpen !== true) {
      exchange.identify()
      requireRole(exchange.operator, route.role)
    }
    const query = readQuery(route.query, req.getQuery() ?? '')
    const call = {
      ...{ operator: route.isOpen === true ? NOBODY : exchange.operator, query, exchange },
      name: route.path.includes('/:') ? decode(req.getParameter(0) ?? '') : '',
      ifMatch: exchange.head.parameterHeaders[IF_MATCH] ?? '',
    }
    const { body: schema } = route
    if (schema === null) void run(exchange, route, { ...call, body: {} })
    else {
      const maxBytes = route.isOpen === true ? MAX_OPEN_BODY_BYTES : MAX_BODY_BYTES
      exchange.readBody((bytes) => {
        try {
          void run(exchange, route, {
            ...call,
            body: bytes.length === 0 ? readBody(schema, EMPTY) : readBody(schema, bytes),
          })
        } catch (thrown) {
          exchange.reject(thrown)
        }
      }, maxBytes)
    }
  })
}

/** Asks an open route. */
const NOBODY: Operator = Object.freeze({ name: '', role: 'read' })
/** Headers that the head must keep. */
export const IF_MATCH = 'if-match'
export const ACCEPT = 'accept'
/** A request without a body is one with an empty object. */
const EMPTY = Buffer.from('{}')

/** A route without a row: an unknown path, a method that a path has not. */
export function serve(ground: AdminGround, act: (exchange: AdminExchange, req: HttpRequest) => void): EngineRoute {
  return (res: HttpResponse, req: HttpRequest) => {
    const method = req.getMethod()
    const response = new ClientResponse(res, method === 'head', ground)
    try {
      const exchange = new AdminExchange(ground, response, ground.heads.read(req, method))
      try {
        exchange.checkHead()
        act(exchange, req)
      } catch (thrown) {
        exchange.reject(thrown)
      }
    } catch {
      response.cut()
    }
  }
}

/** Never rejects. */
async function run(exchange: AdminExchange, route: AdminRoute, call: AdminCall<unknown, unknown>): Promise<void> {
  try {
    const answering = route.act(call as AdminCall<never, never>)
    const answer = answering instanceof Promise ? await answering : answering
    if (answer !== null) exchange.answer(answer.status, answer.body, answer.headers)
  } catch (thrown) {
    exchange.reject(toGatewayError(thrown))
  }
}

/** Nothing has a name with a NUL, and PostgreSQL refuses a query for one. */
function decode(part: string): string {
  try {
    const name = decodeURIComponent(part)
    return name.includes('\0') ? '' : name
  } catch {
    return part
  }
}
