// Traces of one event loop: what makes spans by a configuration, and the way by which they leave. Both are null where traces are off,
// and then nothing of OpenTelemetry is loaded.
import { readVersion } from '../../config/read.js'
import { type Config } from '../../config/types.js'
import { createRedactor } from '../../telemetry/log/redact.js'
import { type Log, type SpanResult, type Tracer } from '../../telemetry/records.js'
import { SpanExport } from '../../telemetry/traces/span-export.js'
import { SpanIds } from '../../telemetry/traces/span-ids.js'
import { type ProviderFacts, resourceOf, type SpanGround } from '../../telemetry/traces/spans.js'
import { createTracer } from '../../telemetry/traces/tracer.js'

/** What spans are made from, beside the configuration. */
export type TracerGround = {
  /** The way out; null where none are exported. */
  readonly out: SpanExport | null
  /** What must not be in a span. */
  readonly secrets: { readonly secrets: readonly string[]; readonly keyDigests: readonly string[] }
  /** All providers that a request may reach. */
  readonly providers: Config['providers']
}

export type SpanVoice = {
  readonly count: (result: SpanResult, spans: number) => void
  readonly log: () => Pick<Log, 'info' | 'warn'>
}

/** For the life of the event loop. */
export function createSpanExport({ traces }: Config['telemetry'], { count, log }: SpanVoice): SpanExport | null {
  if (traces === null) return null
  const { maxQueued, maxBatch, delayMs, variables } = traces
  return new SpanExport({
    ...{ maxQueued, maxBatch, delayMs, count },
    load: async () => (await import('../../telemetry/traces/otlp.js')).createSpanSender(variables),
    onState: (failure) => {
      if (failure === null) log().info({}, 'trace export resumed')
      else log().warn({ reason: failure.message }, 'trace export failed')
    },
  })
}

/** Of one configuration. */
export function createLoopTracer(config: Config, ground: TracerGround): Tracer | null {
  const { out } = ground
  const { propagate, traces } = config.telemetry
  if (traces === null || out === null) {
    return propagate.length === 0 ? null : createTracer({ ids: new SpanIds(), passedTo: propagate, spans: null })
  }
  const ids = new SpanIds()
  const { sampler, resource } = traces
  return createTracer({
    ...{ ids, passedTo: propagate },
    spans: {
      sampler,
      ground: createSpanGround(ground, { resource, ids, isSecure: config.server.tls !== null }),
      nowMs: () => performance.timeOrigin + performance.now(),
      take: (spans, isMinor) => out.take(spans, isMinor),
    },
  })
}

type SpanOptions = {
  readonly resource: Readonly<Record<string, string>>
  readonly ids: SpanIds
  readonly isSecure: boolean
}

function createSpanGround({ secrets, providers }: TracerGround, { resource, ids, isSecure }: SpanOptions): SpanGround {
  const redactor = createRedactor(secrets.secrets, { digests: secrets.keyDigests })
  const version = readVersion()
  return {
    resource: resourceOf({ 'service.version': version, ...resource }),
    scope: { name: 'sluice', version },
    providers: new Map(providers.map((provider) => [provider.name, factsOf(provider)])),
    clean: remembering((text) => redactor.text(text)),
    scheme: isSecure ? 'https' : 'http',
    createSpanId: () => ids.spanId(),
  }
}

const DEFAULT_PORTS: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 }

function factsOf({ name, profile, spanName = null, baseUrl }: Config['providers'][number]): ProviderFacts {
  const { hostname, port, protocol } = new URL(baseUrl)
  const known = DEFAULT_PORTS[protocol] ?? 0
  return { name: spanName ?? profile ?? name, address: hostname, port: port === '' ? known : Number(port) }
}

/** Names of models, paths and programs come again and again; what comes once, such as an id, is not worth much room. */
const MAX_REMEMBERED = 1000
const MAX_REMEMBERED_CHARS = 200

function remembering(clean: (text: string) => string): (text: string) => string {
  const known = new Map<string, string>()
  return (text) => {
    const found = known.get(text)
    if (found !== undefined) return found
    const cleaned = clean(text)
    if (known.size >= MAX_REMEMBERED) known.clear()
    if (text.length <= MAX_REMEMBERED_CHARS) known.set(text, cleaned)
    return cleaned
  }
}
