// Which place each name of the configuration has in the memory that event loops share. Limits and metrics outlive a reload
// there, so a name keeps its place for the life of the process: lists are only ever appended to, and have room from the start.
import { GatewayError } from '../errors.js'
import { type Config } from './types.js'

/** Position in a list is the place. Plain data: it goes to every event loop with the configuration. */
export type Ledger = {
  readonly keys: readonly string[]
  readonly providers: readonly string[]
  /** Configured names, then names that providers are known to serve. */
  readonly models: readonly string[]
  /** Places in all; more would not fit into the memory. */
  readonly room: { readonly keys: number; readonly providers: number; readonly models: number }
}

/** Names that may come in addition, over all reloads: years of rotated keys, for a few bytes each. */
const SPARE_KEYS = 4096
const SPARE_PROVIDERS = 256
const SPARE_MODELS = 4096

const NOTHING: Ledger = { keys: [], providers: [], models: [], room: { keys: 0, providers: 0, models: 0 } }

/** The ledger of a process that starts with this configuration. */
export function openLedger(config: Config): Ledger {
  const { keys, providers, models } = append(NOTHING, config)
  const room = {
    keys: keys.length + SPARE_KEYS,
    providers: providers.length + SPARE_PROVIDERS,
    models: models.length + SPARE_MODELS,
  }
  return { keys, providers, models, room }
}

/**
 * The ledger with the names of a further configuration. Models beyond the room share the label `other`.
 * @throws misconfigured when keys or providers are beyond it
 */
export function continueLedger(ledger: Ledger, config: Config): Ledger {
  const { room } = ledger
  const { keys, providers, models } = append(ledger, config)
  if (keys.length > room.keys || providers.length > room.providers) {
    const message = 'There have been more names of keys and providers than there is room for: a restart is needed.'
    throw new GatewayError('misconfigured', { message })
  }
  return { keys, providers, models: models.slice(0, room.models), room }
}

function append(ledger: Ledger, config: Config): Omit<Ledger, 'room'> {
  const known = config.providers.flatMap((provider) => provider.knownModels)
  return {
    keys: unique(ledger.keys, namesOf(config.keys)),
    providers: unique(ledger.providers, namesOf(config.providers)),
    models: unique(ledger.models, namesOf(config.models), known),
  }
}

function namesOf(list: readonly { readonly name: string }[]): string[] {
  return list.map(({ name }) => name)
}

function unique(...lists: readonly (readonly string[])[]): string[] {
  return [...new Set(lists.flat())]
}
