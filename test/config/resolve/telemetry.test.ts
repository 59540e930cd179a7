// Traces by OpenTelemetry's variables: what turns them on and off, what each sets, and what is said of a value that is not valid.
import { test } from 'tap'
import { renderConfig } from '../../../src/config/check.js'
import { load, refusalOf } from '../sources.js'

const ON = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' }

function traces(env: Readonly<Record<string, string>>) {
  const { telemetry, warnings } = load('', env).config
  return { traces: telemetry.traces, warnings: warnings.filter((warning) => warning.includes('OTEL')) }
}

test('an endpoint turns traces on, with the defaults of the specification', (t) => {
  t.same(traces({}), { traces: null, warnings: [] })
  t.same(traces(ON), {
    traces: {
      sampler: { isParentBased: true, ratio: 1 },
      resource: { 'service.name': 'sluice' },
      maxQueued: 2048,
      maxBatch: 512,
      delayMs: 5000,
      variables: ON,
    },
    warnings: [],
  })
  const own = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://collector/v1/traces', OTEL_EXPORTER_OTLP_TIMEOUT: '100' }
  t.same(traces(own).traces?.variables, own)
  t.end()
})

test('they are off where that is asked, and with a warning where they cannot be had', (t) => {
  t.same(traces({ ...ON, OTEL_SDK_DISABLED: 'True' }), { traces: null, warnings: [] })
  t.same(traces({ ...ON, OTEL_TRACES_EXPORTER: 'none' }), { traces: null, warnings: [] })
  t.not(traces({ ...ON, OTEL_TRACES_EXPORTER: 'console, otlp', OTEL_SDK_DISABLED: '1' }).traces, null)
  const refused = [
    [{ ...ON, OTEL_TRACES_EXPORTER: 'zipkin' }, /^OTEL_TRACES_EXPORTER names no exporter/],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4317' }, /^OTEL_EXPORTER_OTLP_ENDPOINT must be an http:\/\/ or https/],
    [{ ...ON, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, /^OTEL_EXPORTER_OTLP_PROTOCOL must be http\/protobuf/],
  ] as const
  for (const [env, warning] of refused) {
    const { traces: found, warnings } = traces(env)
    t.equal(found, null)
    t.match(warnings, [warning])
    t.match(warnings, [/; no traces are exported$/])
    t.equal(warnings.length, 1)
  }
  t.match(traces({ ...ON, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' }).warnings, [/http\/protobuf is sent/])
  t.equal(traces({ ...ON, OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/protobuf' }).warnings.length, 0)
  t.end()
})

test('every sampler of the specification is known', (t) => {
  const sampler = (name: string, arg = '') => {
    return traces({ ...ON, OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: arg }).traces?.sampler
  }
  t.same(sampler('always_on'), { isParentBased: false, ratio: 1 })
  t.same(sampler('always_off'), { isParentBased: false, ratio: 0 })
  t.same(sampler('traceidratio', '0.25'), { isParentBased: false, ratio: 0.25 })
  t.same(sampler('parentbased_always_off', '0.5'), { isParentBased: true, ratio: 0 })
  t.same(sampler('parentbased_traceidratio', '0.5'), { isParentBased: true, ratio: 0.5 })
  t.same(sampler('traceidratio'), { isParentBased: false, ratio: 1 })
  const wrong = traces({ ...ON, OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '2' })
  t.same([wrong.traces?.sampler.ratio, wrong.warnings.length], [1, 1])
  const unknown = traces({ ...ON, OTEL_TRACES_SAMPLER: 'xray' })
  t.same([unknown.traces?.sampler, unknown.warnings.length], [{ isParentBased: true, ratio: 1 }, 1])
  t.end()
})

test('the resource has the attributes of the environment, the name of the service before them', (t) => {
  const resource = (env: Readonly<Record<string, string>>) => traces({ ...ON, ...env })
  const attributes = 'service.name=a,deployment.environment.name=pre%20prod, team = x ,'
  t.same(resource({ OTEL_RESOURCE_ATTRIBUTES: attributes }).traces?.resource, {
    'service.name': 'a',
    'deployment.environment.name': 'pre prod',
    team: 'x',
  })
  t.equal(
    resource({ OTEL_RESOURCE_ATTRIBUTES: attributes, OTEL_SERVICE_NAME: 'b' }).traces?.resource['service.name'],
    'b',
  )
  for (const wrong of ['a', '=x', 'a=1,b=%']) {
    const { traces: found, warnings } = resource({ OTEL_RESOURCE_ATTRIBUTES: wrong })
    t.same([found?.resource, warnings.length], [{ 'service.name': 'sluice' }, 1])
  }
  t.end()
})

test('batches have the sizes of the environment, as far as they are sizes', (t) => {
  const env = { OTEL_BSP_MAX_QUEUE_SIZE: '100', OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '500', OTEL_BSP_SCHEDULE_DELAY: '7' }
  t.match(traces({ ...ON, ...env }).traces, { maxQueued: 100, maxBatch: 100, delayMs: 7 })
  const { traces: found, warnings } = traces({ ...ON, OTEL_BSP_MAX_QUEUE_SIZE: '-1' })
  t.same([found?.maxQueued, warnings.length], [2048, 1])
  t.end()
})

test('a provider that gets traces must be there, and what is shown of the configuration holds no header', (t) => {
  const file =
    'providers: { north: { protocol: openai-chat, baseUrl: "http://north" } }\ntelemetry: { propagate: [north] }'
  t.same(load(file).config.telemetry.propagate, ['north'])
  t.match(
    refusalOf(() => load(file.replace('[north]', '[north, south]'))),
    /^telemetry\.propagate\.1: names no provider: south/,
  )
  const { config } = load(file, { ...ON, OTEL_EXPORTER_OTLP_HEADERS: 'authorization=hidden' })
  t.notMatch(renderConfig(config), /hidden/)
  t.match(renderConfig(config), /telemetry:\n {2}propagate:\n {4}- north\n/)
  t.end()
})
