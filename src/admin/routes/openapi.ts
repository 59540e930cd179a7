// The OpenAPI 3.1 document of the admin API, made from its routes: the schemas in it are those that judge what operators send.
import { type TSchema } from 'typebox'
import { ERROR_CATALOGUE } from '../../errors.js'
import { type ErrorCode } from '../../model/error.js'
import { isJsonObject, type JsonObject } from '../../model/json.js'
import { type AdminRoute, type DescribedAnswer } from '../http/admin-route.js'

const JSON_TYPE = 'application/json'
const ERROR_SCHEMA: JsonObject = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['code', 'message', 'param'],
      properties: {
        code: { type: 'string' },
        message: { type: 'string' },
        param: { type: ['string', 'null'], description: 'The member or parameter at fault' },
      },
    },
  },
}
/** Of every route. */
const COMMON_ERRORS: readonly ErrorCode[] = ['unauthenticated', 'misdirected', 'rate_limited', 'internal']

/** The whole document. */
export function createAdminOpenApi(version: string, routes: readonly AdminRoute[]): JsonObject {
  const paths: Record<string, Record<string, JsonObject>> = {}
  for (const route of routes) {
    const path = documentedAdminPath(route.path)
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(route) }
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Sluice admin API', version, license: { name: 'MIT', identifier: 'MIT' } },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }, { session: [], token: [] }],
    paths,
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'A key of the admin API' },
        session: { type: 'apiKey', in: 'cookie', name: 'sluice-admin', description: 'With the port after its name' },
        token: { type: 'apiKey', in: 'header', name: 'x-csrf-token', description: 'Of the session' },
      },
      schemas: { error: ERROR_SCHEMA },
    },
  }
}

/** A path of the engine in the syntax of OpenAPI. */
export function documentedAdminPath(path: string): string {
  return path.replace(/(?<=\/):(\w+)/g, '{$1}')
}

function operationOf(route: AdminRoute): JsonObject {
  const { method, path, role, tag, summary, description, body } = route
  const needs = `Needs the role \`${role}\`.`
  const operation: JsonObject = {
    tags: [tag],
    operationId: `${method.toLowerCase()}${path.replace(/[^A-Za-z0-9]+/g, '-')}`,
    summary,
    description: description === undefined ? needs : `${description} ${needs}`,
    parameters: [...pathParameters(path), ...queryParameters(route)],
    responses: { ...answersOf(route), ...errorsOf(route) },
  }
  if (route.isOpen === true) operation.security = [{}]
  if (body === null) return operation
  return { ...operation, requestBody: { content: { [JSON_TYPE]: { schema: plain(body) } } } }
}

function pathParameters(path: string): JsonObject[] {
  return Array.from(path.matchAll(/\/:(\w+)/g), ([, name = '']) => {
    return { name, in: 'path', required: true, schema: { type: 'string' } }
  })
}

function queryParameters({ query }: AdminRoute): JsonObject[] {
  const { properties = {}, required = [] } = plain(query)
  if (!isJsonObject(properties)) return []
  return Object.entries(properties).map(([name, schema]) => {
    const hasDefault = isJsonObject(schema) && 'default' in schema
    const isRequired = Array.isArray(required) && required.includes(name) && !hasDefault
    return { name, in: 'query', required: isRequired, schema: schema as JsonObject }
  })
}

function answersOf({ answers }: AdminRoute): JsonObject {
  return Object.fromEntries(Object.entries(answers).map(([status, answer]) => [status, answerOf(answer)]))
}

function answerOf({ description, schema, media = JSON_TYPE, headers = [] }: DescribedAnswer): JsonObject {
  const named = headers.map((name) => [name, { schema: { type: 'string' } }] as const)
  const content = schema === undefined ? {} : { content: { [media]: { schema: plain(schema) } } }
  return { description, ...(named.length === 0 ? {} : { headers: Object.fromEntries(named) }), ...content }
}

function errorsOf({ role, query, body, answers }: AdminRoute): JsonObject {
  const hasInput = body !== null || Object.keys(query.properties).length > 0
  const codes: readonly ErrorCode[] = [
    ...COMMON_ERRORS,
    ...(hasInput ? (['invalid_request'] as const) : []),
    ...(body === null ? [] : (['unsupported_media_type', 'payload_too_large'] as const)),
    ...(role === 'write' ? (['forbidden'] as const) : []),
  ]
  const entries = codes.map((code) => {
    const { status, message } = ERROR_CATALOGUE[code]
    const schema = { $ref: '#/components/schemas/error' }
    return [status, { description: message, content: { [JSON_TYPE]: { schema } } }] as const
  })
  return Object.fromEntries(entries.filter(([status]) => !(status in answers)))
}

/** Schemas have marks of their library that are not JSON. */
function plain(schema: TSchema): JsonObject {
  return JSON.parse(JSON.stringify(schema)) as JsonObject
}
