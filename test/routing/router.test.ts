// Routing: which targets a model name leads to, and who may use it.
import { test } from 'tap'
import { type ModelConfig, type TargetConfig } from '../../src/config/types.js'
import { type Route, type RouteQuery, Router, type RouteTarget } from '../../src/routing/router.js'
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
  return { provider, model, weight, concurrency: null, extraBody: {} }
}

function routerOf(...models: ModelConfig[]): Router {
  return new Router({ providers: [ALPHA, BETA], models })
}

function query(model: string, over: Partial<RouteQuery> = {}): RouteQuery {
  return { model, provider: null, allowed: ['*'], ...over }
}

/** All that it may lead to: the model's own targets, then those of its fallbacks. */
function all({ targets, fallbacks }: Route): readonly RouteTarget[] {
  return [...targets, ...fallbacks.flatMap((each) => all(each))]
}

function names(route: Route): string[] {
  return all(route).map(({ target }) => `${target.provider}/${target.model}`)
}

test('a configured model’s fields hold for provider/model and a pinned provider too, if all three names are one', async (t) => {
  const own = { ...to('beta', 'm'), extraBody: { own: 1 } }
  const other = { ...to('beta', 'x'), extraBody: { other: 1 } }
  const rest = { fallbacks: [], contextFallbacks: [], affinity: 'none', timeouts: {}, hedge: null } as const
  const router = routerOf({ name: 'm', targets: [own], ...rest }, { name: 'n', targets: [other], ...rest })
  const bodyOf = (model: string, provider: string | null = null) =>
    all(router.route(query(model, { provider }))).map(({ target }) => [target.model, target.extraBody])
  t.same(bodyOf('beta/m'), [['m', { own: 1 }]])
  t.same(bodyOf('m', 'beta'), [['m', { own: 1 }]])
  t.same(bodyOf('alpha/m'), [['m', ALPHA.extraBody]])
  t.same(bodyOf('beta/n'), [['n', {}]], 'another upstream model of that name is what was asked for')
  t.same(bodyOf('beta/x'), [['x', {}]])
})

test('a configured model says how its answers are shared, by its own name and for no other', async (t) => {
  const cache = { ttlMs: 1000, scope: 'key' } as const
  const rest = { fallbacks: [], contextFallbacks: [], affinity: 'none', timeouts: {}, hedge: null } as const
  const plain = { name: 'plain', targets: [to('beta', 'p')], ...rest }
  const both = { name: 'both', targets: [to('beta', 'm')], ...rest, coalesce: true, cache }
  const cached = { name: 'cached', targets: [to('beta', 'm')], ...rest, coalesce: false, cache }
  const router = routerOf(plain, both, cached, { ...plain, name: 'off', coalesce: false, cache: null })
  const sharingOf = (model: string, provider: string | null = null) => router.route(query(model, { provider })).sharing
  t.same(sharingOf('both'), { coalesce: true, cache })
  t.same(sharingOf('cached'), { coalesce: false, cache })
  for (const model of ['plain', 'off', 'beta/m']) t.equal(sharingOf(model), null, model)
  t.equal(sharingOf('both', 'beta'), null, 'a pinned provider is another way')
})

test('the targets of the fallbacks follow, in the order of the configuration', async (t) => {
  const router = routerOf(
    {
      name: 'm',
      targets: [to('alpha', 'x')],
      fallbacks: ['second', 'third', 'gone'],
      contextFallbacks: [],
      affinity: 'none',
      timeouts: {},
      hedge: null,
    },
    {
      name: 'second',
      targets: [to('beta', 's1', 1), to('beta', 's2', 1)],
      fallbacks: ['third'],
      contextFallbacks: [],
      affinity: 'none',
      timeouts: {},
      hedge: null,
    },
    {
      name: 'third',
      targets: [to('alpha', 't')],
      fallbacks: [],
      contextFallbacks: [],
      affinity: 'none',
      timeouts: {},
      hedge: null,
    },
  )
  const route = router.route(query('m'))
  t.same(names(route), ['alpha/x', 'beta/s1', 'beta/s2', 'alpha/t'], 'and no fallbacks of fallbacks')
  t.equal(router.route(query('m')), route, 'made once, not for each request')
  t.ok(
    all(route).every(({ label }) => label === 'm'),
    'metrics name what the client asked for',
  )
})

test('a target carries its provider, the position of its cells and the fields to add', async (t) => {
  const target = { ...to('alpha', 'x'), extraBody: { from: 'model' } }
  const [found] = routerOf({
    name: 'm',
    targets: [target],
    fallbacks: [],
    contextFallbacks: [],
    affinity: 'none',
    timeouts: {},
    hedge: null,
  }).route(query('m')).targets
  t.equal(found?.provider, ALPHA)
  t.equal(found?.providerIndex, 0)
  t.match(found?.target, { protocol: 'openai-chat', extraBody: { from: 'model', kept: true }, quirks: ALPHA.quirks })
  t.match(routerOf().route(query('beta/y')).targets, [{ providerIndex: 1, target: { protocol: 'other-wire' } }])
})

test('targets of a provider that is not there are passed over', async (t) => {
  const router = routerOf({
    name: 'm',
    targets: [to('gone', 'x'), to('beta', 'y')],
    fallbacks: [],
    contextFallbacks: [],
    affinity: 'none',
    timeouts: {},
    hedge: null,
  })
  t.same(names(router.route(query('m'))), ['beta/y'])
})

test('`provider/model` leads to that provider, with the name behind the first slash', async (t) => {
  const router = routerOf()
  t.same(names(router.route(query('beta/anything'))), ['beta/anything'])
  t.same(names(router.route(query('beta/firm/model'))), ['beta/firm/model'])
  t.match(router.route(query('alpha/a-one')).targets, [{ label: 'a-one', target: { extraBody: ALPHA.extraBody } }])
  for (const model of ['zeta/', '/y', 'gone/y']) {
    t.match(
      thrownBy(() => router.route(query(model))),
      { code: 'model_not_found' },
      model,
    )
  }
})

test('a configured name goes before a prefix, a prefix before a pattern', async (t) => {
  const router = routerOf({
    name: 'beta/y',
    targets: [to('alpha', 'own')],
    fallbacks: [],
    contextFallbacks: [],
    affinity: 'none',
    timeouts: {},
    hedge: null,
  })
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
  const route = (provider: string, over: Partial<RouteQuery>) => router.route(query('m', { provider, ...over })).targets
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
  const listed = { provider: testProvider('http://delta', { name: 'delta', knownModels: ['d-one'] }), isKeyless: false }
  const knowing = new Router({ providers: [ALPHA, BETA], models: [], wellKnown: [listed] })
  const globbed = (model: string, provider: string) => query(model, { ...byPath(true), provider, allowed: ['d-*'] })
  t.match(knowing.route(globbed('d-one', 'delta')).targets, [{ provider: listed.provider }], 'its own name leads there')
  for (const [model, provider] of [
    ['d-two', 'delta'],
    ['d-one', 'gone'],
  ] as const) {
    t.equal(thrownBy(() => knowing.route(globbed(model, provider))).code, 'forbidden', `${model} at ${provider}`)
  }
})

test('a pinned provider serves the name as it stands, its own prefix taken off', async (t) => {
  const router = routerOf({
    name: 'fast',
    targets: [to('alpha', 'x')],
    fallbacks: [],
    contextFallbacks: [],
    affinity: 'none',
    timeouts: {},
    hedge: null,
  })
  t.same(names(router.route(query('fast', { provider: 'beta' }))), ['beta/fast'])
  t.same(names(router.route(query('beta/y', { provider: 'beta' }))), ['beta/y'])
  t.same(names(router.route(query('alpha/y', { provider: 'beta' }))), ['beta/alpha/y'])
  t.match(
    thrownBy(() => router.route(query('x', { provider: 'gone' }))),
    { code: 'invalid_request', param: 'provider', message: 'Unsupported provider: gone. Configured: alpha, beta.' },
  )
})

test('a key uses only the models that its globs name, whatever way they would be found', async (t) => {
  const router = routerOf({
    name: 'fast',
    targets: [to('alpha', 'x')],
    fallbacks: [],
    contextFallbacks: [],
    affinity: 'none',
    timeouts: {},
    hedge: null,
  })
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
    thrownBy(() => router.route(query('fast', { allowed: [] }))),
    { code: 'forbidden' },
  )
})

test('with a pinned provider a key reaches its `provider/model`, or what the name alone leads to, and nothing else', async (t) => {
  const plain = { fallbacks: [], contextFallbacks: [], affinity: 'none', timeouts: {}, hedge: null } as const
  const router = routerOf(
    { ...plain, name: 'fast', targets: [to('alpha', 'x'), to('beta', 'fast')] },
    { ...plain, name: 'beta/own', targets: [to('alpha', 'other')] },
  )
  const rows: readonly (readonly [allowed: string, model: string, provider: string, to: string | null])[] = [
    ['beta/*', 'a-one', 'beta', 'beta/a-one'],
    ['beta/*', 'beta/a-one', 'beta', 'beta/a-one'],
    ['beta/*', 'a-one', 'alpha', null],
    ['beta/*', 'beta/x', 'alpha', null],
    ['a-*', 'a-one', 'alpha', 'alpha/a-one'],
    ['a-*', 'alpha/a-one', 'alpha', null],
    ['a-*', 'a-one', 'beta', null],
    ['fast', 'fast', 'beta', 'beta/fast'],
    ['fast', 'fast', 'alpha', null],
    // The configured model of that name is another one's.
    ['beta/own', 'own', 'beta', null],
    ['beta/own', 'beta/own', 'beta', null],
    ['*', 'anything', 'beta', 'beta/anything'],
  ]
  for (const [allowed, model, provider, reached] of rows) {
    const ask = () => names(router.route(query(model, { allowed: [allowed], provider })))
    const name = `${allowed}: ${model} at ${provider}`
    if (reached === null) t.match(thrownBy(ask), { code: 'forbidden', param: 'model' }, name)
    else t.same(ask(), [reached], name)
  }
})

test('what may select another model is refused for a key that may not use all of them', async (t) => {
  const router = routerOf()
  const asking = { selector: 'models', allowed: ['a-*'] }
  t.match(
    thrownBy(() => router.route(query('a-one', asking))),
    { code: 'forbidden', param: 'models' },
  )
  t.match(
    thrownBy(() => router.route(query('b-one', asking))),
    { param: 'model' },
    'the model itself goes first',
  )
  t.same(names(router.route(query('a-one', { ...asking, allowed: ['*'] }))), ['alpha/a-one'])
  t.ok(thrownBy(() => router.route(query('a-one', { ...asking, selector: 's'.repeat(5000) }))).message.length < 300)
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
    {
      name: 'fast',
      targets: [to('beta', 'x')],
      fallbacks: [],
      contextFallbacks: [],
      affinity: 'none',
      timeouts: {},
      hedge: null,
    },
    { name: 'empty', targets: [], fallbacks: [], contextFallbacks: [], affinity: 'none', timeouts: {}, hedge: null },
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
  // Its patterns would find the whole name at the other one, but the prefix goes first.
  const reversed = new Router({ providers: [BETA, ALPHA], models: [] })
  t.match(
    thrownBy(() => reversed.route(pinned('alpha/y'))),
    { code: 'forbidden' },
  )
})

test('requests in flight are counted only where that decides something, at the position among all targets', async (t) => {
  const capped = { ...to('alpha', 'c'), concurrency: 5 }
  const plain = { fallbacks: [], contextFallbacks: [], affinity: 'none', timeouts: {}, hedge: null } as const
  const router = routerOf(
    { name: 'alone', targets: [to('alpha', 'a')], ...plain },
    { name: 'capped', targets: [capped], ...plain, fallbacks: ['pair'] },
    { name: 'pair', targets: [to('alpha', 'd'), to('beta', 'e')], ...plain },
  )
  const slots = (model: string) => all(router.route(query(model))).map(({ slot }) => slot)
  t.same(slots('alone'), [-1])
  t.same(slots('capped'), [1, 2, 3])
  t.same(slots('pair'), [2, 3], 'the same cells whichever way they are reached')
  t.same(slots('beta/y'), [-1])
})

test('the timeouts of a model go before those of its providers, for its own targets', async (t) => {
  const plain = { contextFallbacks: [], affinity: 'none', hedge: null } as const
  const router = routerOf(
    { name: 'quick', targets: [to('alpha', 'a')], fallbacks: ['usual'], ...plain, timeouts: { firstTokenMs: 7 } },
    { name: 'usual', targets: [to('beta', 'b')], fallbacks: [], ...plain, timeouts: {}, hedge: null },
  )
  const [quick, usual] = all(router.route(query('quick'))).map(({ timeouts }) => timeouts)
  t.same(quick, { ...ALPHA.timeouts, firstTokenMs: 7 })
  t.same(usual, BETA.timeouts)
  t.equal(router.route(query('beta/y')).targets[0]?.timeouts, BETA.timeouts)
})

test('the route of a name without a configured model is made once, up to a number and a length of names', async (t) => {
  const router = routerOf()
  const first = router.route(query('beta/m'))
  t.equal(router.route(query('beta/m')), first)
  t.equal(router.route(query('a-two')), router.route(query('a-two')), 'by pattern, too')
  for (let i = 0; i < 1000; i++) router.route(query(`beta/m-${i}`))
  const again = router.route(query('beta/m'))
  t.not(again, first, 'forgotten')
  t.same(names(again), ['beta/m'])
  const long = `beta/${'m'.repeat(300)}`
  t.not(router.route(query(long)), router.route(query(long)))
})
