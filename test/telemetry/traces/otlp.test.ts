// The exporter itself, at a collector that decodes by OpenTelemetry's schema; and that nothing loads it where traces are off.
import { spawnSync } from 'node:child_process'
import { test } from 'tap'
import { encodeHead, SERVER, SpanBatch } from '../../../src/telemetry/traces/encoding/span-batch.js'
import { createSpanSender } from '../../../src/telemetry/traces/otlp.js'
import { Collector } from '../../helpers/collector.js'
import { ROOT } from '../../helpers/gateway.js'

const SPAN = {
  ...{ traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7', place: 0, parentId: null },
  ...{ parentPlace: 0, isParentRemote: false, state: '', name: 'POST chat', kind: SERVER },
  ...{ startMs: 1_700_000_000_250, endMs: 1_700_000_000_500 },
}

test('a batch arrives as it was written; a refusal of the collector is a reason, not an exception', async (t) => {
  const collector = await Collector.listen(t)
  const sender = createSpanSender({
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${collector.origin}/mine/traces`,
    OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'x-token=a%20b',
  })
  const batch = new SpanBatch(encodeHead({ 'service.name': 'gate' }, { name: 'sluice', version: '1' }), 0)
  batch.startSpan(SPAN)
  batch.endSpan(false)
  t.equal(await sender.send(batch), null)
  t.match(collector.spans, [
    {
      ...{ traceId: SPAN.traceId, spanId: SPAN.spanId, parentId: '', kind: 'server', scope: { name: 'sluice' } },
      ...{
        startNs: 1_700_000_000_250_000_000n,
        endNs: 1_700_000_000_500_000_000n,
        resource: { 'service.name': 'gate' },
      },
    },
  ])
  t.match(collector.headers[0], { path: '/mine/traces', 'x-token': 'a b', 'content-type': 'application/x-protobuf' })
  collector.status = 401
  t.type(await sender.send(batch), Error)
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
