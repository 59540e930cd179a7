// The headers that every answer bears, and who may read it from a page.
import { test } from 'tap'
import { createHeaderPolicy, preflightHeaders } from '../../../src/server/engine/fixed-headers.js'
import { components } from '../../../src/server/openapi/openapi-components.js'

test('demands TLS of browsers only when there is TLS', async (t) => {
  const names = (isTls: boolean) => createHeaderPolicy(isTls, []).fixed.map(([name]) => name)
  t.same(names(false), ['x-content-type-options', 'x-frame-options', 'referrer-policy'])
  t.same(names(true), [...names(false), 'strict-transport-security'])
})

test('allows the configured origins to the letter, and all with an asterisk', async (t) => {
  const some = createHeaderPolicy(false, ['https://a.test'])
  t.same(some.corsOf('https://a.test')[0], ['access-control-allow-origin', 'https://a.test'])
  for (const origin of ['', 'null', 'https://a.test.evil', 'http://a.test', 'https://a.test:444', '__proto__']) {
    t.same(some.corsOf(origin), [['vary', 'origin']], 'caches must not take this answer for that of an allowed page')
    t.notOk(some.isAllowed(origin), origin)
  }
  const all = createHeaderPolicy(false, ['*'])
  t.same(all.corsOf('https://b.test')[0], ['access-control-allow-origin', '*'])
  t.ok(all.isAllowed('https://b.test'))
  t.same(all.corsOf(''), [])
  t.same(createHeaderPolicy(false, []).corsOf('https://a.test'), [], 'nothing varies where no origin is allowed')
})

test('echoes the headers that a preflight requests, if they are valid names', async (t) => {
  const allowed = (requested: string) =>
    new Map(preflightHeaders('POST', requested)).get('access-control-allow-headers')
  t.equal(allowed('authorization, x-stainless-os'), 'authorization, x-stainless-os')
  for (const bad of ['', 'a\r\nb: c', 'x'.repeat(1025), 'a;b']) t.equal(allowed(bad), 'authorization, content-type')
})

test('a page may read every response header that the API describes', async (t) => {
  const lists = createHeaderPolicy(false, ['*']).corsOf('https://a.test')
  const exposed = new Map(lists).get('access-control-expose-headers')?.split(', ') ?? []
  const described = Object.keys(components().headers)
  t.ok(described.length > 10)
  t.same(
    described.filter((name) => !exposed.includes(name)),
    [],
  )
})
