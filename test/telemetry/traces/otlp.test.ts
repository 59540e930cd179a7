// The exporter itself, at a collector that decodes by OpenTelemetry's schema; and that nothing loads it where traces are off.
import { spawnSync } from 'node:child_process'
import { test } from 'tap'
import { createSpanSender } from '../../../src/telemetry/traces/otlp.js'
import { resourceOf, type SpanGround, spansOf } from '../../../src/telemetry/traces/spans.js'
import { Collector } from '../../helpers/collector.js'
import { exchangeRecord } from '../../helpers/exchange-record.js'
import { ROOT } from '../../helpers/gateway.js'

const TRACE = {
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
  spanId: '00f067aa0ba902b7',
  parentId: null,
  isSampled: true,
  state: '',
}
const GROUND: SpanGround = {
  ...{
    resource: resourceOf({ 'service.name': 'gate' }),
    scope: { name: 'sluice', version: '1' },
    providers: new Map(),
  },
  ...{ clean: (text) => text, scheme: 'http', createSpanId: () => '1111111111111111' },
}

test('a span arrives with its ids, times and attributes; a refusal of the collector is a reason, not an exception', async (t) => {
  const collector = await Collector.listen(t)
  const sender = createSpanSender({
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${collector.origin}/mine/traces`,
    OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'x-token=a%20b',
  })
  const spans = spansOf(exchangeRecord({ attempts: 0, totalMs: 250 }), TRACE, GROUND, 1_700_000_000_500)
  t.equal(await sender.send(spans), null)
  t.match(collector.spans, [
    {
      ...{ traceId: TRACE.traceId, spanId: TRACE.spanId, parentId: '', kind: 'internal' },
      ...{
        startNs: 1_700_000_000_250_000_000n,
        endNs: 1_700_000_000_500_000_000n,
        resource: { 'service.name': 'gate' },
      },
    },
  ])
  t.match(collector.headers[0], { path: '/mine/traces', 'x-token': 'a b', 'content-type': 'application/x-protobuf' })
  collector.status = 401
  t.type(await sender.send(spans), Error)
})

// @opentelemetry/api is there all the same: prom-client loads it.
test('a gateway without traces loads no exporter', (t) => {
  const probe = `
    import { createRequire } from 'node:module'
    const require = createRequire(import.meta.url)
    await import(process.argv[1])
    const cached = Object.keys(require.cache).filter((path) => path.includes('otlp'))
    console.log(JSON.stringify(cached))`
  const run = (file: string): string[] => {
    const args = ['--input-type=module', '-e', probe, `${ROOT}dist/src/${file}`]
    const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' })
    if (stdout === '') throw new Error(stderr)
    return JSON.parse(stdout) as string[]
  }
  t.same(run('main/launch.js'), [])
  t.ok(run('telemetry/traces/otlp.js').length > 10, 'what the probe would have seen')
  t.end()
})
