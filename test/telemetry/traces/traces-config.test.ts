// The secrets among the exporter's variables.
import { test } from 'tap'
import { secretsOfTraces } from '../../../src/telemetry/traces/traces-config.js'

test('values of headers and passwords of addresses are secrets, encoded or not; nothing else is', (t) => {
  const variables = {
    OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Basic%20abc==, x-team=one,',
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://user:pass%2Fword@collector:4318/v1/traces',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318',
    OTEL_EXPORTER_OTLP_TIMEOUT: '10000',
  }
  const secrets = secretsOfTraces({ variables })
  t.same(new Set(secrets), new Set(['Basic%20abc==', 'Basic abc==', 'one', 'user', 'pass%2Fword', 'pass/word']))
  t.same(new Set(secretsOfTraces({ variables: { X_HEADERS: 'a=%' } })), new Set(['%']), 'what cannot be decoded')
  t.end()
})
