// Routing: which targets a model name leads to, in which order, and who may use it.
import { test } from 'tap'
import { type ModelConfig, type TargetConfig } from '../../src/config/types.js'
import { type RouteQuery, Router, type RouteTarget } from '../../src/routing/router.js'
import { testProvider } from '../helpers/targets.js'
import { thrownBy } from '../helpers/thrown.js'

const ALPHA = testProvider('http://alpha', {
  name: 'alpha',
  knownModels: ['a-one'],
  modelPatterns: ['a*'],
  extraBody: { from: 'provider', kept: true },
})
const BETA = testProvider('http://beta', { name: 'beta', protocol: 'other-wire', modelPatterns: ['a*', 'b*'] })

function to(provider: string, model: string, weight = 1): TargetConfig {
  return { provider, model, weight, extraBody: {} }
}

function routerOf(...models: ModelConfig[]): Router {
  return new Router({ providers: [ALPHA, BETA], models })
}

function query(model: string, over: Partial<RouteQuery> = {}): RouteQuery {
  return { model, provider: null, allowed: ['*'], random: () => 0, ...over }
}

function names(targets: readonly RouteTarget[]): string[] {
  return targets.map(({ target }) => `${target.provider}/${target.model}`)
}

/** Numbers one after the other, as Math.random would give them. */
function numbers(...values: readonly number[]): () => number {
  let next = 0
  return () => values[next++] ?? 0
}

test('a configured model leads to its targets, drawn in proportion to their weights', async (t) => {
  const router = routerOf({ name: 'fast', targets: [to('alpha', 'x', 3), to('beta', 'y', 1)], fallbacks: [] })
  const order = (point: number) => names(router.route(query('fast', { random: numbers(point) })))
  t.same(order(0), ['alpha/x', 'beta/y'])
  t.same(order(0.7499), ['alpha/x', 'beta/y'], 'three quarters go to the first')
  t.same(order(0.75), ['beta/y', 'alpha/x'])
  t.same(order(0.9999), ['beta/y', 'alpha/x'])
})

test('each further draw is among the targets that are left', async (t) => {
  const targets = [to('alpha', 'x', 1), to('alpha', 'y', 2), to('beta', 'z', 1)]
  const router = routerOf({ name: 'm', targets, fallbacks: [] })
  const drawn = router.route(query('m', { random: numbers(0.5, 0.5, 0) }))
  t.same(names(drawn), ['alpha/y', 'beta/z', 'alpha/x'])
})

test('a configured model’s fields hold for provider/model and a pinned provider too, if all three names are one', async (t) => {
  const own = { ...to('beta', 'm'), extraBody: { own: 1 } }
  const other = { ...to('beta', 'x'), extraBody: { other: 1 } }
  const router = routerOf({ name: 'm', targets: [own], fallbacks: [] }, { name: 'n', targets: [other], fallbacks: [] })
  const bodyOf = (model: string, provider: string | null = null) =>
    router.route(query(model, { provider })).map(({ target }) => [target.model, target.extraBody])
  t.same(bodyOf('beta/m'), [['m', { own: 1 }]])
  t.same(bodyOf('m', 'beta'), [['m', { own: 1 }]])
  t.same(bodyOf('alpha/m'), [['m', ALPHA.extraBody]])
  t.same(bodyOf('beta/n'), [['n', {}]], 'another upstream model of that name is what was asked for')
  t.same(bodyOf('beta/x'), [['x', {}]])
})

test('a target of weight 0 is only what others fall back to', async (t) => {
  const router = routerOf({ name: 'm', targets: [to('alpha', 'spare', 0), to('beta', 'main', 1)], fallbacks: [] })
  for (const point of [0, 0.5, 0.9999]) {
    t.same(names(router.route(query('m', { random: () => point }))), ['beta/main', 'alpha/spare'])
  }
})

test('the targets of the fallbacks follow, in the order of the configuration', async (t) => {
  const router = routerOf(
    { name: 'm', targets: [to('alpha', 'x')], fallbacks: ['second', 'third', 'gone'] },
    { name: 'second', targets: [to('beta', 's1', 1), to('beta', 's2', 1)], fallbacks: ['third'] },
    { name: 'third', targets: [to('alpha', 't')], fallbacks: [] },
  )
  const targets = router.route(query('m', { random: numbers(0.6, 0) }))
  t.same(names(targets), ['alpha/x', 'beta/s2', 'beta/s1', 'alpha/t'])
  t.ok(
    targets.every(({ label }) => label === 'm'),
    'metrics name what the client asked for',
  )
})

test('a target carries its provider, the position of its cells and the fields to add', async (t) => {
  const target = { ...to('alpha', 'x'), extraBody: { from: 'model' } }
  const [found] = routerOf({ name: 'm', targets: [target], fallbacks: [] }).route(query('m'))
  t.equal(found?.provider, ALPHA)
  t.equal(found?.providerIndex, 0)
  t.match(found?.target, { protocol: 'openai-chat', extraBody: { from: 'model', kept: true }, quirks: ALPHA.quirks })
  t.match(routerOf().route(query('beta/y')), [{ providerIndex: 1, target: { protocol: 'other-wire' } }])
})

test('targets of a provider that is not there are passed over', async (t) => {
  const router = routerOf({ name: 'm', targets: [to('gone', 'x'), to('beta', 'y')], fallbacks: [] })
  t.same(names(router.route(query('m'))), ['beta/y'])
})

test('`provider/model` leads to that provider, with the name behind the first slash', async (t) => {
  const router = routerOf()
  t.same(names(router.route(query('beta/anything'))), ['beta/anything'])
  t.same(names(router.route(query('beta/firm/model'))), ['beta/firm/model'])
  t.match(router.route(query('alpha/a-one')), [{ label: 'a-one', target: { extraBody: ALPHA.extraBody } }])
  for (const model of ['zeta/', '/y', 'gone/y']) {
    t.match(
      thrownBy(() => router.route(query(model))),
      { code: 'model_not_found' },
      model,
    )
  }
})

test('a configured name goes before a prefix, a prefix before a pattern', async (t) => {
  const router = routerOf({ name: 'beta/y', targets: [to('alpha', 'own')], fallbacks: [] })
  t.same(names(router.route(query('beta/y'))), ['alpha/own'])
  t.same(names(router.route(query('beta/a-one'))), ['beta/a-one'])
})

test('a bare name is found by catalogue and patterns, the first provider that knows it first', async (t) => {
  const router = routerOf()
  t.same(names(router.route(query('a-new'))), ['alpha/a-new'])
  t.same(names(router.route(query('b-new'))), ['beta/b-new'])
  const listed = new Router({ providers: [BETA, { ...ALPHA, knownModels: ['zeta'] }], models: [] })
  t.same(names(listed.route(query('zeta'))), ['alpha/zeta'])
})

test('a path may name a well-known provider that is not configured, with a key of the caller', async (t) => {
  const gamma = { provider: testProvider('http://gamma', { name: 'gamma' }), isKeyless: false }
  const free = { provider: testProvider('http://free', { name: 'free' }), isKeyless: true }
  const shadowed = { provider: testProvider('http://elsewhere', { name: 'beta' }), isKeyless: true }
  const router = new Router({ providers: [ALPHA, BETA], models: [], wellKnown: [gamma, free, shadowed] })
  const byPath = (hasKey: boolean) => ({ byPath: { hasKey } })
  const route = (provider: string, over: Partial<RouteQuery>) => router.route(query('m', { provider, ...over }))
  t.match(route('gamma', byPath(true)), [{ provider: gamma.provider, providerIndex: -1, target: { model: 'm' } }])
  t.match(route('free', byPath(false)), [{ provider: free.provider }])
  t.match(route('beta', byPath(true)), [{ provider: BETA, providerIndex: 1 }], 'a configured one goes first')
  t.equal(thrownBy(() => route('gamma', byPath(false))).code, 'unauthenticated')
  const gone = thrownBy(() => route('gone', byPath(true)))
  t.match(gone, { code: 'invalid_request', param: 'provider' })
  t.equal(gone.message, 'Unsupported provider: gone')
  t.match(thrownBy(() => route('gamma', {})).message, /^Unsupported provider: gamma. Configured: alpha, beta.$/)
  const barred = { ...byPath(true), allowed: ['other*'] }
  t.equal(thrownBy(() => route('gamma', barred)).code, 'forbidden', 'the globs of the gateway key hold')
  t.equal(thrownBy(() => router.route(query('gamma/m'))).code, 'model_not_found', 'no other way leads there')
})

test('a pinned provider serves the name as it stands, its own prefix taken off', async (t) => {
  const router = routerOf({ name: 'fast', targets: [to('alpha', 'x')], fallbacks: [] })
  t.same(names(router.route(query('fast', { provider: 'beta' }))), ['beta/fast'])
  t.same(names(router.route(query('beta/y', { provider: 'beta' }))), ['beta/y'])
  t.same(names(router.route(query('alpha/y', { provider: 'beta' }))), ['beta/alpha/y'])
  t.match(
    thrownBy(() => router.route(query('x', { provider: 'gone' }))),
    { code: 'invalid_request', param: 'provider', message: 'Unsupported provider: gone. Configured: alpha, beta.' },
  )
})

test('a key uses only the models that its globs name, whatever way they would be found', async (t) => {
  const router = routerOf({ name: 'fast', targets: [to('alpha', 'x')], fallbacks: [] })
  const allowed = ['fast', 'beta/*']
  t.same(names(router.route(query('fast', { allowed }))), ['alpha/x'])
  t.same(names(router.route(query('beta/y', { allowed }))), ['beta/y'])
  for (const model of ['a-one', 'faster', 'alpha/x', 'no-such']) {
    t.match(
      thrownBy(() => router.route(query(model, { allowed }))),
      { code: 'forbidden', param: 'model' },
      model,
    )
  }
  t.match(
    thrownBy(() => router.route(query('a-one', { allowed, provider: 'beta' }))),
    { code: 'forbidden' },
  )
  t.match(
    thrownBy(() => router.route(query('fast', { allowed: [] }))),
    { code: 'forbidden' },
  )
})

test('an unknown model is named, but not at any length', async (t) => {
  const router = routerOf()
  t.match(
    thrownBy(() => router.route(query('zeta'))),
    { code: 'model_not_found', status: 404, param: 'model', message: /'zeta'/ },
  )
  const { message } = thrownBy(() => router.route(query('z'.repeat(10_000))))
  t.ok(message.length < 300)
  t.ok(thrownBy(() => router.route(query('x', { provider: 'p'.repeat(10_000) }))).message.length < 300)
})

test('lists the configured models and what the providers are known to have, as far as the key may', async (t) => {
  const router = routerOf(
    { name: 'fast', targets: [to('beta', 'x')], fallbacks: [] },
    { name: 'empty', targets: [], fallbacks: [] },
  )
  t.same(router.list(['*']), [
    { id: 'fast', ownedBy: 'beta' },
    { id: 'empty', ownedBy: 'sluice' },
    { id: 'alpha/a-one', ownedBy: 'alpha' },
  ])
  t.same(router.list(['alpha/*']), [{ id: 'alpha/a-one', ownedBy: 'alpha' }])
  t.same(router.list([]), [])
})

test('a key for one provider reaches no other by pinning it', async (t) => {
  const router = routerOf()
  const allowed = ['alpha/*']
  const pinned = (model: string) => query(model, { provider: 'beta', allowed })
  t.match(
    thrownBy(() => router.route(pinned('alpha/y'))),
    { code: 'forbidden' },
  )
  t.match(
    thrownBy(() => router.route(pinned('beta/y'))),
    { code: 'forbidden' },
  )
  t.same(names(router.route(query('alpha/y', { provider: 'alpha', allowed }))), ['alpha/y'])
})
