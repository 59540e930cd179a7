// Configured models: shorthands, weights, fallbacks, and what becomes of targets that cannot be used.
import { test } from 'tap'
import { load, refusalOf } from '../sources.js'

const PLAIN = {
  fallbacks: [],
  contextFallbacks: [],
  affinity: 'none',
  timeouts: {},
  hedge: null,
  coalesce: false,
  cache: null,
}
const PROVIDERS = 'providers: { openai: { apiKey: k }, local: { protocol: openai-chat, baseUrl: "http://h" } }\n'

test('a model is spelt out from every form', (t) => {
  const { models } = load(`${PROVIDERS}
models:
  smart: openai/gpt-4o
  slashed: local/org/model
  fast:
    targets: [ { provider: openai, model: gpt-4o-mini, weight: 3 }, local/llama, { provider: local, model: x, extraBody: { a: 1 } } ]
    fallbacks: [ smart ]
    contextFallbacks: [ slashed ]
    affinity: prefix
    timeouts: { firstTokenMs: 5000 }
    hedge: { afterMs: 900 }
`).config
  t.same(models, [
    {
      name: 'smart',
      targets: [
        {
          provider: 'openai',
          model: 'gpt-4o',
          weight: 1,
          concurrency: null,
          extraBody: {},
          thinking: null,
          contextTokens: null,
          maxOutputTokens: null,
        },
      ],
      ...PLAIN,
    },
    {
      name: 'slashed',
      targets: [
        {
          provider: 'local',
          model: 'org/model',
          weight: 1,
          concurrency: null,
          extraBody: {},
          thinking: null,
          contextTokens: null,
          maxOutputTokens: null,
        },
      ],
      ...PLAIN,
    },
    {
      name: 'fast',
      targets: [
        {
          provider: 'openai',
          model: 'gpt-4o-mini',
          weight: 3,
          concurrency: null,
          extraBody: {},
          thinking: null,
          contextTokens: null,
          maxOutputTokens: null,
        },
        {
          provider: 'local',
          model: 'llama',
          weight: 1,
          concurrency: null,
          extraBody: {},
          thinking: null,
          contextTokens: null,
          maxOutputTokens: null,
        },
        {
          provider: 'local',
          model: 'x',
          weight: 1,
          concurrency: null,
          extraBody: { a: 1 },
          thinking: null,
          contextTokens: null,
          maxOutputTokens: null,
        },
      ],
      fallbacks: ['smart'],
      contextFallbacks: ['slashed'],
      affinity: 'prefix',
      timeouts: { firstTokenMs: 5000 },
      hedge: { afterMs: 900, percentile: null, maxExtra: 0.05 },
      coalesce: false,
      cache: null,
    },
  ])
  t.end()
})

test('a target without a slash, or of an unknown provider, is a problem', (t) => {
  t.equal(
    refusalOf(() => load(`${PROVIDERS}models: { m: gpt-4o }`)),
    'models.m: must be provider/model (line 2)',
  )
  t.equal(
    refusalOf(() => load(`${PROVIDERS}models: { m: locl/x }`)),
    'models.m: names a provider that is not configured (line 2); did you mean "local"?',
  )
  t.match(
    refusalOf(() => load(`${PROVIDERS}models: { m: { targets: [ { provider: nope, model: x } ] } }`)),
    /^models\.m\.targets\.0\.provider: names/,
  )
  t.end()
})

test('targets whose provider lacks a key are left out with a warning, and models without any', (t) => {
  const { models, warnings } = load(`${PROVIDERS}
models:
  a: anthropic/claude-sonnet-5
  b: { targets: [ anthropic/claude-sonnet-5, local/x ], fallbacks: [ a ] }
`).config
  t.match(models, [{ name: 'b', targets: [{ provider: 'local' }], fallbacks: [] }])
  t.same(warnings, [
    'models.a is ignored: provider anthropic has no key, and ANTHROPIC_API_KEY is not set',
    'model a is ignored: none of its targets is usable',
    'models.b.targets.0 is ignored: provider anthropic has no key, and ANTHROPIC_API_KEY is not set',
  ])
  t.end()
})

test('a target may name a keyless server without an entry', (t) => {
  const { models, providers } = load(
    'models: { m: ollama/llama3, n: { targets: [ { provider: vllm, model: x } ] } }',
  ).config
  t.match(providers, [{ name: 'ollama' }, { name: 'vllm' }])
  t.match(models, [{ name: 'm' }, { name: 'n' }])
  t.match(load('models: { m: sim/echo }').config, {
    models: [{ name: 'm' }],
    providers: [{ name: 'sim' }],
    simulator: 'asked',
    warnings: [],
  })
  t.end()
})

test('a model whose only target is wrong has its fallbacks checked too', (t) => {
  const text = 'models: { m: { targets: [ lokal/x ], fallbacks: [ smrt ] }, smart: sim/echo }'
  t.match(
    refusalOf(() => load(text)),
    /^models\.m\.targets\.0: .*\nmodels\.m\.fallbacks\.0: is not a configured model/,
  )
  t.end()
})

test('fallbacks must be other configured models', (t) => {
  const text = (fallback: string): string =>
    `${PROVIDERS}models: { m: { targets: [ local/x ], fallbacks: [ ${fallback} ] }, smart: local/y }`
  t.match(
    refusalOf(() => load(text('smrt'))),
    /^models\.m\.fallbacks\.0: is not a configured model \(line 2\); did you mean "smart"\?$/,
  )
  t.match(
    refusalOf(() => load(text('m'))),
    /^models\.m\.fallbacks\.0: must not name the model itself/,
  )
  t.end()
})

test('at least one target must get traffic', (t) => {
  t.match(
    refusalOf(() => load(`${PROVIDERS}models: { m: { targets: [ { provider: local, model: x, weight: 0 } ] } }`)),
    /must include at least one weight above 0/,
  )
  t.end()
})

test('a hedge needs a time or a percentile', (t) => {
  const model = (hedge: string) => `${PROVIDERS}models: { m: { targets: [ local/x, local/y ], hedge: ${hedge} } }`
  t.same(load(model('{ percentile: 95 }')).config.models[0]?.hedge, { afterMs: null, percentile: 95, maxExtra: 0.05 })
  t.match(
    refusalOf(() => load(model('{}'))),
    /^models\.m\.hedge: requires afterMs or percentile/,
  )
  t.end()
})
