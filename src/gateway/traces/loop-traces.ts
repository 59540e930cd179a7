// Traces of one event loop: what makes spans by a configuration, and the way by which they leave. Both are null where traces are off,
// and then nothing of OpenTelemetry is loaded.
import { readVersion } from '../../config/read.js'
import { type Config } from '../../config/types.js'
import { ownIds } from '../../telemetry/log/exchange-line.js'
import { createRedactor } from '../../telemetry/log/redact.js'
import { type Log, type SpanResult, type Tracer } from '../../telemetry/records.js'
import { createKnownAttributes } from '../../telemetry/traces/encoding/known-attributes.js'
import { encodeHead } from '../../telemetry/traces/encoding/span-batch.js'
import { SpanExport } from '../../telemetry/traces/span-export.js'
import { SpanIds } from '../../telemetry/traces/span-ids.js'
import { addressOf, type ProviderFacts, type SpanGround } from '../../telemetry/traces/spans.js'
import { createTracer } from '../../telemetry/traces/tracer.js'

/** What spans are made from, beside the configuration. */
export type TracerGround = {
  /** The way out; null where none are exported. */
  readonly out: SpanExport | null
  /** What must not be in a span. */
  readonly secrets: { readonly secrets: readonly string[]; readonly keyDigests: readonly string[] }
  /** All providers that a request may reach. */
  readonly providers: Config['providers']
  /** Of this loop's request ids. */
  readonly ownIdSeed: string
}

export type SpanVoice = {
  readonly count: (result: SpanResult, spans: number) => void
  readonly log: () => Pick<Log, 'info' | 'warn'>
}

/** For the life of the event loop. */
export function createSpanExport({ traces }: Config['telemetry'], { count, log }: SpanVoice): SpanExport | null {
  if (traces === null) return null
  const { maxQueued, maxBatch, delayMs, variables, resource } = traces
  const version = readVersion()
  return new SpanExport({
    ...{ maxQueued, maxBatch, delayMs, count },
    head: encodeHead({ 'service.version': version, ...resource }, { name: 'sluice', version }),
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
  return createTracer({
    ...{ ids, passedTo: propagate },
    spans: {
      sampler: traces.sampler,
      ground: createSpanGround(ground, config.server.tls !== null),
      nowMs: () => performance.timeOrigin + performance.now(),
      out,
    },
  })
}

function createSpanGround(ground: TracerGround, isSecure: boolean): SpanGround {
  const { secrets, providers, ownIdSeed } = ground
  const redactor = createRedactor(secrets.secrets, { digests: secrets.keyDigests })
  // A search for keys by their digests takes 2 us, and most ids come once.
  const ofAnswers = createRedactor(secrets.secrets)
  const isOwn = ownIds(ownIdSeed)
  const clean = remembering((text) => redactor.text(text))
  return {
    providers: new Map(providers.map((provider) => [provider.name, factsOf(provider)])),
    clean,
    known: createKnownAttributes(clean),
    cleanId: (id) => (isOwn(id) ? id : redactor.text(id)),
    cleanAnswer: (id) => ofAnswers.text(id),
    scheme: isSecure ? 'https' : 'http',
  }
}

const DEFAULT_PORTS: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 }

function factsOf({ name, profile, spanName = null, baseUrl }: Config['providers'][number]): ProviderFacts {
  const { hostname, port, protocol } = new URL(baseUrl)
  const known = DEFAULT_PORTS[protocol] ?? 0
  const address = addressOf(hostname, port === '' ? known : Number(port))
  return { name: spanName ?? profile ?? name, address }
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
