// The routing table of the admin API and its document, held against each other; and the routes that only show.
import { Validator } from '@seriousme/openapi-schema-validator'
import { test } from 'tap'
import { Value } from 'typebox/value'
import { type AdminCall, type AdminRoute } from '../../../src/admin/http/admin-route.js'
import { createAdminRoutes } from '../../../src/admin/routes/all-routes.js'
import { createAdminOpenApi, documentedAdminPath } from '../../../src/admin/routes/openapi.js'
import { isJsonObject, type JsonObject } from '../../../src/model/json.js'
import { adminContext, FakeLoop, streamEntry } from '../../helpers/admin.js'
import { rejectionOf } from '../../helpers/thrown.js'

const ROUTES = createAdminRoutes(adminContext([]).context)
const OPERATOR = { name: 'oncall', role: 'write' } as const

/** What a route answers; its answer fits the schema that the document shows. */
async function ask(routes: readonly AdminRoute[], route: string, call: Partial<AdminCall<object, object>> = {}) {
  const found = routes.find(({ method, path }) => `${method} ${path}` === route)
  if (found === undefined) throw new Error(`no route ${route}`)
  const whole = { operator: OPERATOR, name: '', query: {}, body: {}, ifMatch: '', ...call }
  const answer = await found.act(whole as never)
  const schema = answer === null ? undefined : found.answers[answer.status]?.schema
  const fits = answer === null || schema === undefined || Value.Check(schema, JSON.parse(JSON.stringify(answer.body)))
  return { status: answer?.status, body: answer?.body as JsonObject, fits }
}

test('the document is valid, and has every route of the table and no other', async (t) => {
  const document = createAdminOpenApi('1.2.3', ROUTES)
  const { valid, errors } = await new Validator().validate(structuredClone(document))
  t.ok(valid, JSON.stringify(errors)?.slice(0, 2000))
  const paths = isJsonObject(document.paths) ? document.paths : {}
  const described = Object.entries(paths).flatMap(([path, item]) =>
    Object.keys(item as object).map((method) => `${method.toUpperCase()} ${path}`),
  )
  const routed = ROUTES.map(({ method, path }) => `${method} ${documentedAdminPath(path)}`)
  t.same(described.sort(), routed.sort())
  const ids = Array.from(JSON.stringify(document).matchAll(/"operationId":"([^"]+)"/g), ([, id]) => id)
  t.equal(new Set(ids).size, ROUTES.length)
})

test('what the document says of a route’s input is what judges it, and each change needs the role write', async (t) => {
  const document = JSON.stringify(createAdminOpenApi('1', ROUTES))
  for (const { method, path, role, query, body, answers } of ROUTES) {
    for (const name of Object.keys(query.properties)) t.match(document, `"name":"${name}","in":"query"`)
    if (body !== null) t.ok(document.includes(JSON.stringify(body)), path)
    // Somebody's own session is no change of the gateway.
    const isChange = method !== 'GET' && !path.endsWith('/session')
    // What a client has written is not for everybody who may look.
    const isPrivate = path.endsWith('/body')
    t.equal(role, isChange || isPrivate ? 'write' : 'read', `${method} ${path}`)
    t.ok(
      Object.keys(answers).some((status) => status.startsWith('2')),
      path,
    )
  }
})

test('open streams are listed by filters, with their total', async (t) => {
  const entries = [
    streamEntry({ requestId: 'a' }),
    streamEntry({ requestId: 'b', key: 'other', state: 'waiting', position: 1 }),
    streamEntry({ requestId: 'c', model: 'slow' }),
  ]
  const { context } = adminContext([new FakeLoop({ streams: () => entries }), new FakeLoop()])
  const routes = createAdminRoutes(context)
  const list = async (query: object) => {
    const { status, body, fits } = await ask(routes, 'GET /admin/v1/streams', { query: { limit: 10, ...query } })
    t.same([status, fits], [200, true])
    return { ids: (body.data as { requestId: string }[]).map(({ requestId }) => requestId), body }
  }
  const all = await list({})
  t.same(all.ids, ['a', 'b', 'c'])
  t.match(all.body, { total: 3, silent: [1], data: [{ node: 'node-a', loop: 0 }] })
  t.same((await list({ key: 'other' })).ids, ['b'])
  t.same((await list({ state: 'waiting' })).ids, ['b'])
  t.same((await list({ model: 'slow' })).ids, ['c'])
  t.same((await list({ requestId: 'a' })).ids, ['a'])
  const cut = await list({ limit: 1 })
  t.same([cut.ids, cut.body.total], [['a'], 3])
})

test('requests have the members of their log lines, before a time if one is given', async (t) => {
  const own = new FakeLoop({
    requests: () => [{ atMs: 1000, loop: 0, line: { id: 'a', outcome: 'complete', status: 200 }, hasBody: false }],
  })
  const routes = createAdminRoutes(adminContext([own]).context)
  const { body, fits } = await ask(routes, 'GET /admin/v1/requests', { query: { limit: 5, key: 'k' } })
  t.ok(fits)
  t.same(body.data, [
    {
      node: 'node-a',
      loop: 0,
      endedAt: '1970-01-01T00:00:01.000Z',
      id: 'a',
      outcome: 'complete',
      status: 200,
      hasBody: false,
    },
  ])
  await ask(routes, 'GET /admin/v1/requests', { query: { limit: 5, before: '1970-01-01T00:00:02Z' } })
  t.same(
    own.calls.map(({ args }) => args),
    [
      [{ key: 'k' }, 5],
      [{ beforeMs: 2000 }, 5],
    ],
  )
  const wrong = ask(routes, 'GET /admin/v1/requests', { query: { limit: 5, before: 'noon' } })
  t.match(await rejectionOf(wrong), { code: 'invalid_request', param: 'before' })
})

test('the configuration is shown with its last reload, and the audit in pages', async (t) => {
  const report = {
    ...{
      config: { server: { port: 1 } },
      origins: { 'server.port': 'PORT' },
      file: null,
      warnings: [],
      startedAtMs: 0,
    },
    reload: {
      atMs: 1000,
      result: 'ok',
      reason: null,
      kept: ['server.host'],
      changes: [{ path: 'a', before: 1, after: 2 }],
    },
  } as const
  const { context } = adminContext([], { config: () => report })
  const routes = createAdminRoutes(context)
  const shown = await ask(routes, 'GET /admin/v1/config')
  t.ok(shown.fits)
  t.match(shown.body, {
    version: '1.2.3',
    node: 'node-a',
    startedAt: '1970-01-01T00:00:00.000Z',
    config: report.config,
  })
  t.match(shown.body, { reload: { at: '1970-01-01T00:00:01.000Z', restartNeededFor: ['server.host'] } })
  const fresh = createAdminRoutes(adminContext([], { config: () => ({ ...report, reload: null }) }).context)
  t.equal((await ask(fresh, 'GET /admin/v1/config')).body.reload, null)
  context.audit.note({ by: 'oncall', action: 'stream.cancel', target: 'req-1', before: null, after: null })
  const audit = await ask(routes, 'GET /admin/v1/audit', { query: { limit: 5 } })
  t.ok(audit.fits)
  t.match(audit.body, { data: [{ seq: 1, by: 'oncall', at: '1970-01-01T00:00:00.000Z' }], next: null })
})

test('the document is a route of the table', async (t) => {
  const { body } = await ask(ROUTES, 'GET /admin/v1/openapi.json')
  t.match(body, { openapi: '3.1.0', info: { version: '1.2.3' } })
  t.equal((await ask(ROUTES, 'GET /admin/v1/openapi.json')).body, body)
})
