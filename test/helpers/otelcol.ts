// The OpenTelemetry Collector (`otelcol`), which reads what the gateway sends by OpenTelemetry's own code and passes it on.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type Test } from 'tap'

const STARTED = /Starting HTTP server.*"endpoint": "(127\.0\.0\.1:\d+)"/
const READY = /Everything is ready/

/** Starts one that exports all traces to `destination`, as they come. Its own origin. */
export async function startOtelcol(t: Test, program: string, destination: string): Promise<string> {
  const config = {
    receivers: { otlp: { protocols: { http: { endpoint: '127.0.0.1:0' } } } },
    exporters: {
      otlp_http: { endpoint: destination, sending_queue: { enabled: false }, retry_on_failure: { enabled: false } },
    },
    service: {
      telemetry: { metrics: { level: 'none' } },
      pipelines: { traces: { receivers: ['otlp'], exporters: ['otlp_http'] } },
    },
  }
  const file = join(t.testdir(), 'otelcol.json')
  writeFileSync(file, JSON.stringify(config))
  const collector = spawn(program, ['--config', `file:${file}`], { stdio: ['ignore', 'ignore', 'pipe'] })
  const exited = once(collector, 'exit')
  t.teardown(async () => {
    collector.kill()
    await exited
  })
  let address: string | undefined
  for await (const line of createInterface({ input: collector.stderr })) {
    address ??= STARTED.exec(line)?.[1]
    if (READY.test(line)) break
  }
  if (address === undefined) throw new Error('otelcol did not say where it listens')
  collector.stderr.resume()
  return `http://${address}`
}
