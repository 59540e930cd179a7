// Traces by OpenTelemetry's variables, read as its SDKs read them: what they set to a value that is not valid counts as not set, with a
// warning. The exporter reads its own variables again, so that it does what its documentation says.
// https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
import { type TracesConfig } from '../../telemetry/traces/traces-config.js'
import { type ConfigFile } from '../schema/schema.js'
import { type Variables } from '../sources/substitute.js'
import { type Config } from '../types.js'
import { type ProblemList } from '../validate/problem.js'

export type TelemetryContext = {
  readonly variables: Variables
  readonly problems: ProblemList
  readonly warnings: string[]
  /** Names of the providers that are configured, usable or not. */
  readonly providers: ReadonlySet<string>
}

const ENDPOINTS = ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'OTEL_EXPORTER_OTLP_ENDPOINT']
const PROTOCOLS = ['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', 'OTEL_EXPORTER_OTLP_PROTOCOL']
/** What the exporter reads. */
const OF_EXPORTER = [
  ...ENDPOINTS,
  ...['OTEL_EXPORTER_OTLP_TRACES_HEADERS', 'OTEL_EXPORTER_OTLP_HEADERS'],
  ...['OTEL_EXPORTER_OTLP_TRACES_TIMEOUT', 'OTEL_EXPORTER_OTLP_TIMEOUT'],
  ...['OTEL_EXPORTER_OTLP_TRACES_COMPRESSION', 'OTEL_EXPORTER_OTLP_COMPRESSION'],
  ...['OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE', 'OTEL_EXPORTER_OTLP_CERTIFICATE'],
  ...['OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE', 'OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE'],
  ...['OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY', 'OTEL_EXPORTER_OTLP_CLIENT_KEY'],
]
/** Defaults of the SDKs. */
const DEFAULT_MAX_QUEUED = 2048
const DEFAULT_MAX_BATCH = 512
const DEFAULT_DELAY_MS = 5000
const DEFAULT_SERVICE_NAME = 'sluice'

/** `telemetry` of the file, and the variables. */
export function resolveTelemetry(
  { telemetry }: Pick<ConfigFile, 'telemetry'>,
  context: TelemetryContext,
): Config['telemetry'] {
  const { problems, providers } = context
  telemetry.propagate.forEach((name, index) => {
    if (!providers.has(name)) problems.add(['telemetry', 'propagate', index], `names no provider: ${name}`)
  })
  return { propagate: telemetry.propagate, traces: resolveTraces(context) }
}

function resolveTraces({ variables, warnings }: TelemetryContext): TracesConfig | null {
  const read = (name: string): string | undefined => variables[name]?.trim() || undefined
  const endpoint = ENDPOINTS.find((name) => read(name) !== undefined)
  if (endpoint === undefined || read('OTEL_SDK_DISABLED')?.toLowerCase() === 'true') return null
  const reason = reasonAgainst(endpoint, read)
  if (reason === 'asked') return null
  if (reason !== null) {
    warnings.push(`${reason}; no traces are exported`)
    return null
  }
  const protocol = PROTOCOLS.find((name) => read(name) !== undefined)
  if (protocol !== undefined && read(protocol) === 'http/json')
    warnings.push(`${protocol} is http/json; http/protobuf is sent, which every collector accepts at the same address`)
  const count = (name: string, fallback: number): number => readCount(name, fallback, { read, warnings })
  const maxQueued = count('OTEL_BSP_MAX_QUEUE_SIZE', DEFAULT_MAX_QUEUED)
  return {
    sampler: readSampler(read, warnings),
    resource: readResource(read, warnings),
    maxQueued,
    maxBatch: Math.min(count('OTEL_BSP_MAX_EXPORT_BATCH_SIZE', DEFAULT_MAX_BATCH), maxQueued),
    delayMs: count('OTEL_BSP_SCHEDULE_DELAY', DEFAULT_DELAY_MS),
    variables: Object.fromEntries(
      OF_EXPORTER.map((name) => [name, read(name) ?? '']).filter(([, value]) => value !== ''),
    ),
  }
}

type Read = (name: string) => string | undefined

/** Why nothing can be exported, `asked` if that is what was asked for; null if it can. No value is shown: an address may hold a password. */
function reasonAgainst(endpoint: string, read: Read): string | null {
  const exporters = (read('OTEL_TRACES_EXPORTER') ?? 'otlp').split(',').map((name) => name.trim())
  if (exporters.includes('none')) return 'asked'
  if (!exporters.includes('otlp')) return 'OTEL_TRACES_EXPORTER names no exporter that Sluice has (otlp)'
  if (!/^https?:\/\//i.test(read(endpoint) ?? '') || !URL.canParse(read(endpoint) ?? ''))
    return `${endpoint} must be an http:// or https:// address`
  const protocol = PROTOCOLS.find((name) => read(name) !== undefined)
  if (protocol === undefined || ['http/protobuf', 'http/json'].includes(read(protocol) ?? '')) return null
  return `${protocol} must be http/protobuf`
}

/** Names of the specification -> whether a caller's decision counts, and the share of all other traces; null: the argument. */
const SAMPLERS: ReadonlyMap<string, readonly [isParentBased: boolean, ratio: number | null]> = new Map([
  ['always_on', [false, 1]],
  ['always_off', [false, 0]],
  ['traceidratio', [false, null]],
  ['parentbased_always_on', [true, 1]],
  ['parentbased_always_off', [true, 0]],
  ['parentbased_traceidratio', [true, null]],
])

function readSampler(read: Read, warnings: string[]): TracesConfig['sampler'] {
  const name = read('OTEL_TRACES_SAMPLER') ?? 'parentbased_always_on'
  const sampler = SAMPLERS.get(name)
  if (sampler === undefined) {
    warnings.push(
      `OTEL_TRACES_SAMPLER must be one of ${[...SAMPLERS.keys()].join(', ')}; parentbased_always_on is used`,
    )
    return { isParentBased: true, ratio: 1 }
  }
  const [isParentBased, ratio] = sampler
  return { isParentBased, ratio: ratio ?? readRatio(read, warnings) }
}

function readRatio(read: Read, warnings: string[]): number {
  const text = read('OTEL_TRACES_SAMPLER_ARG')
  const ratio = Number(text ?? 1)
  if (ratio >= 0 && ratio <= 1) return ratio
  warnings.push('OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1; 1 is used')
  return 1
}

/** `name=value` pairs with commas between them, values percent-encoded; all are dropped if one is not valid, as the specification says. */
function readResource(read: Read, warnings: string[]): Record<string, string> {
  const name = read('OTEL_SERVICE_NAME')
  const own = name === undefined ? {} : { 'service.name': name }
  const text = read('OTEL_RESOURCE_ATTRIBUTES')
  try {
    const pairs = (text ?? '').split(',').filter((pair) => pair.trim() !== '')
    const named = Object.fromEntries(pairs.map(readPair))
    return { 'service.name': DEFAULT_SERVICE_NAME, ...named, ...own }
  } catch {
    warnings.push('OTEL_RESOURCE_ATTRIBUTES must be name=value pairs with commas between them; it is ignored')
    return { 'service.name': DEFAULT_SERVICE_NAME, ...own }
  }
}

/** @throws URIError, SyntaxError */
function readPair(pair: string): [name: string, value: string] {
  const at = pair.indexOf('=')
  const name = decodeURIComponent(pair.slice(0, at).trim())
  if (at < 0 || name === '') throw new SyntaxError('no pair')
  return [name, decodeURIComponent(pair.slice(at + 1).trim())]
}

type Reading = { readonly read: Read; readonly warnings: string[] }

function readCount(name: string, fallback: number, { read, warnings }: Reading): number {
  const text = read(name)
  if (text === undefined) return fallback
  const count = Number(text)
  if (Number.isSafeInteger(count) && count > 0) return count
  warnings.push(`${name} must be a whole number above 0; ${fallback} is used`)
  return fallback
}
