// The document of the API: valid, complete against the routing table in both directions, and true: its examples are accepted by
// the surfaces that describe themselves, its schemas judge bodies as the surfaces do.
import { Validator } from '@seriousme/openapi-schema-validator'
import { test } from 'tap'
import { Value } from 'typebox/value'
import { ERROR_CATALOGUE } from '../../../src/errors.js'
import { isJsonObject, type JsonObject } from '../../../src/model/json.js'
import { type Surface } from '../../../src/protocols/contract/protocol.js'
import { ENDPOINTS, PROTOCOLS } from '../../../src/protocols/index.js'
import { createOpenApi, documentedPath, type RouteRow } from '../../../src/server/openapi/openapi.js'
import { PLAIN_OPERATIONS } from '../../../src/server/openapi/plain-operations.js'
import { closedJobDoor, startFront } from '../../helpers/front.js'
import { listGolden, readGolden } from '../../helpers/golden.js'

const SURFACES: readonly Surface[] = [...PROTOCOLS.flatMap(({ surface }) => surface ?? []), ...ENDPOINTS]

function documentOf(routes: readonly RouteRow[], hasKeys = true): JsonObject {
  return createOpenApi({ version: '1.2.3', hasKeys, routes })
}

/** The value at a path of members. */
function at(value: unknown, ...path: readonly string[]): JsonObject {
  let node = value
  for (const member of path) node = isJsonObject(node) ? node[member] : undefined
  return isJsonObject(node) ? node : {}
}

test('the document is valid and has every route of the routing table, and no other', async (t) => {
  const usage = () => Promise.reject(new Error('not asked'))
  const { server } = await startFront(t, {
    options: { surfaces: SURFACES, jobDoor: closedJobDoor(SURFACES), usage, issuesTokens: true },
  })
  const document = documentOf(server.routes)
  const { valid, errors } = await new Validator().validate(structuredClone(document))
  t.ok(valid, JSON.stringify(errors)?.slice(0, 2000))
  const described = Object.entries(at(document, 'paths')).flatMap(([path, item]) =>
    Object.keys(item as JsonObject).map((method) => `${method.toUpperCase()} ${path}`),
  )
  const routed = server.routes.map(({ method, path }) => `${method} ${documentedPath(path)}`)
  t.same([...new Set(routed)].sort(), described.sort())
  t.ok(routed.length > 14)
  const used = new Set(server.routes.map((row) => (row.surface === null ? row.operation : null)))
  t.same(
    Object.entries(PLAIN_OPERATIONS).flatMap(([name, operation]) => (used.has(operation) ? [] : [name])),
    [],
    'no description of a route that is gone',
  )
})

test('every reference leads somewhere, and every operation has an id of its own', async (t) => {
  const { server } = await startFront(t, { options: { surfaces: SURFACES, jobDoor: closedJobDoor(SURFACES) } })
  const document = documentOf(server.routes)
  const text = JSON.stringify(document)
  const references = new Set(Array.from(text.matchAll(/"\$ref":"#\/([^"]+)"/g), ([, path = '']) => path))
  t.ok(references.size > 10)
  for (const path of references) t.not(Object.keys(at(document, ...path.split('/'))).length, 0, path)
  const ids = Array.from(text.matchAll(/"operationId":"([^"]+)"/g), ([, id]) => id)
  t.equal(new Set(ids).size, ids.length)
})

for (const surface of SURFACES) {
  test(`${surface.id}: its examples are accepted and fit its schemas`, async (t) => {
    const description = surface.describe?.()
    if (description === undefined) return t.fail('every surface describes itself')
    const { body, examples, answer, isForm } = description
    t.equal(Object.keys(examples).length > 0, isForm !== 'only')
    for (const [name, example] of Object.entries(examples)) {
      t.doesNotThrow(() => surface.readFacts(example), name)
      t.ok(Value.Check(body, example), name)
    }
    const document = documentOf(surface.routes.map(({ method, path }) => ({ method, path, surface })))
    const path = documentedPath(surface.routes[0]?.path ?? '')
    const responses = at(document, 'paths', path, 'post', 'responses')
    for (const shown of Object.values(at(responses, '200', 'content', 'application/json', 'examples')))
      t.ok(Value.Check(answer ?? {}, at(shown, 'value')), JSON.stringify(shown))
    const error = at(document, 'components', 'schemas', `${surface.id}.error`)
    const codes = Object.entries(responses).flatMap(([status, response]) => {
      const shown = at(response, 'content', 'application/json', 'examples')
      if (status.startsWith('2')) return []
      for (const [code, { value }] of Object.entries(shown) as [string, JsonObject][])
        t.ok(Value.Check(error, value), `${status} ${code}`)
      return Object.keys(shown)
    })
    t.equal(codes.filter((code) => code === 'repeated').length, 2, 'a repeated key has two answers of its own')
    const unseen = [
      ...['client_gone', 'slow_reader', 'not_found', 'method_not_allowed', 'conflict', 'stream_gone'],
      'precondition_failed',
    ]
    t.same(
      codes.filter((code) => code !== 'repeated').sort(),
      Object.keys(ERROR_CATALOGUE)
        .filter((code) => !unseen.includes(code))
        .sort(),
    ) // each code once
  })
}

/** Bodies of each kind that is wrong, made of a right one. */
function spoilt(body: JsonObject): JsonObject[] {
  const wrong = [null, 5, 'text', [], {}, [5], true]
  return Object.keys(body).flatMap((member) => [
    Object.fromEntries(Object.entries(body).filter(([name]) => name !== member)),
    ...wrong.map((value) => ({ ...body, [member]: value }) as JsonObject),
  ])
}

function accepts(surface: Surface, body: JsonObject): boolean {
  try {
    surface.readFacts(body)
    return true
  } catch {
    return false
  }
}

test('the schema of a body judges as the surface does, on right and on wrong bodies', async (t) => {
  for (const surface of SURFACES) {
    const { body: schema = {}, examples = {}, isForm } = surface.describe?.() ?? {}
    if (isForm === 'only') continue
    const recorded = listGolden('requests/').filter((path) => path.startsWith(`requests/${surface.id}/`))
    const right = [...Object.values(examples), ...recorded.map((path) => JSON.parse(readGolden(path)) as JsonObject)]
    const strict: string[] = []
    let refused = 0
    let missed = 0
    for (const body of right.flatMap((each) => [each, ...spoilt(each)])) {
      const fits = Value.Check(schema, body)
      const isTaken = accepts(surface, body)
      if (isTaken && !fits) strict.push(JSON.stringify(body))
      if (!isTaken) refused += 1
      if (!isTaken && fits) missed += 1
    }
    t.same(strict, [], `${surface.id} takes nothing that its schema refuses`)
    // Of an endpoint's body only the model is the gateway's to check.
    t.ok(refused > (surface.endpoint === undefined ? 15 : 4), `${refused} bodies are wrong`)
    // Some rules span fields, and no schema says them.
    t.ok(missed < refused / 10, `${missed} of ${refused} wrong bodies fit the schema of ${surface.id}`)
  }
})

test('without gateway keys no route asks for one; with them those that need one do', async (t) => {
  const { server } = await startFront(t, { options: { surfaces: SURFACES, jobDoor: closedJobDoor(SURFACES) } })
  const security = (document: JsonObject, path: string, method: string) => at(document, 'paths', path, method).security
  const closed = documentOf(server.routes, true)
  t.same(security(closed, '/v1/models', 'get'), [{ bearer: [] }, { apiKey: [] }])
  t.same(security(closed, '/livez', 'get'), [{}])
  t.same(security(documentOf(server.routes, false), '/v1/models', 'get'), [{}])
})

test('several surfaces on one path are one operation with the media types of all', async (t) => {
  const [first] = SURFACES
  if (first === undefined) return t.fail('no surface')
  const lines: Surface = { ...first, id: 'lines', framing: 'ndjson' }
  const one: Surface = { ...first, id: 'one', framing: 'json' as Surface['framing'] }
  const path = '/x/:provider'
  const document = documentOf([first, lines, one].map((surface) => ({ method: 'POST' as const, path, surface })))
  const operation = at(document, 'paths', '/x/{provider}', 'post')
  t.same(Object.keys(at(operation, 'responses', '200', 'content')).sort(), [
    'application/json',
    'application/x-ndjson',
    'text/event-stream',
  ])
  t.match(operation.parameters, [{ name: 'provider', in: 'path', required: true }])
  const callers = [{ bearer: [] }, { apiKey: [] }, { bearer: [], callerKey: [] }]
  t.same(operation.security, callers, 'where the path names a provider the caller may bring a key')
})

test('chats say what a repeated key and a provider may answer; a provider’s own error has no shape of ours', async (t) => {
  const { server } = await startFront(t, { options: { surfaces: SURFACES, jobDoor: closedJobDoor(SURFACES) } })
  const document = documentOf(server.routes, true)
  for (const surface of SURFACES) {
    const path = Object.keys(at(document, 'paths')).find((each) => each.endsWith(surface.routes[0]?.path ?? '-')) ?? ''
    const { responses, parameters } = at(document, 'paths', path, 'post')
    for (const status of ['409', '422', 'default']) t.ok(at(responses, status).description, `${surface.id} ${status}`)
    t.match(JSON.stringify(parameters), /parameters\/idempotency-key/, surface.id)
    const { schema } = at(responses, 'default', 'content', 'application/json')
    t.equal('anyOf' in (schema as JsonObject), surface.upstreamFrames !== undefined, surface.id)
  }
  const list = at(document, 'paths', '/v1/chat/completions', 'get')
  t.same(Object.keys(at(list, 'responses')), ['200', '400', '401'])
})
