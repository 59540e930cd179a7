// What the configuration decides about traces. Plain data, which survives structured clone.
import { type SamplerConfig } from './sampler.js'

export type TracesConfig = {
  readonly sampler: SamplerConfig
  /** Attributes of the resource, `service.name` among them. */
  readonly resource: Readonly<Record<string, string>>
  /** Spans that may wait, spans of one export, and how long the first of them waits. */
  readonly maxQueued: number
  readonly maxBatch: number
  readonly delayMs: number
  /** The variables that the exporter reads by itself, set ones only; they may contain secrets. */
  readonly variables: Readonly<Record<string, string>>
}

/** What must never be shown of the exporter's variables, in all forms in which it occurs: its headers, and the password of its URL. */
export function secretsOfTraces({ variables }: Pick<TracesConfig, 'variables'>): string[] {
  return Object.entries(variables).flatMap(([name, value]) => {
    if (name.endsWith('_HEADERS')) return value.split(',').flatMap(secretsOfPair)
    return name.endsWith('_ENDPOINT') && URL.canParse(value) ? passwordsOf(new URL(value)) : []
  })
}

/** `name=value`, percent-encoded or not. */
function secretsOfPair(pair: string): string[] {
  const value = pair.slice(pair.indexOf('=') + 1).trim()
  return value === '' ? [] : formsOf(value)
}

function passwordsOf({ username, password }: URL): string[] {
  return [username, password].filter((part) => part !== '').flatMap(formsOf)
}

function formsOf(text: string): string[] {
  try {
    return [text, decodeURIComponent(text)]
  } catch {
    return [text]
  }
}
