// The index that each name of the configuration has in the memory shared by the event loops. Limits and metrics survive a
// reload there, so a name keeps its index for the life of the process: lists are only appended to, and have room from the start.
import { GatewayError } from '../../errors.js'
import { type Config } from '../types.js'

/** The position in a list is the index. Plain data: it is passed to every event loop with the configuration. */
export type SlotTable = {
  readonly keys: readonly string[]
  readonly providers: readonly string[]
  /** Configured names, then names that providers are known to serve. */
  readonly models: readonly string[]
  /** See `targetNames`. */
  readonly targets: readonly string[]
  /** Capacity of each list; more names would not fit into the memory. */
  readonly room: {
    readonly keys: number
    readonly providers: number
    readonly models: number
    readonly targets: number
  }
}

/** Room for names added by reloads: years of rotated keys, at a few bytes each. */
const SPARE_KEYS = 4096
const SPARE_PROVIDERS = 256
const SPARE_MODELS = 4096
const SPARE_TARGETS = 4096

const NOTHING: SlotTable = {
  keys: [],
  providers: [],
  models: [],
  targets: [],
  room: { keys: 0, providers: 0, models: 0, targets: 0 },
}

/** The slot table of a process that starts with this configuration. */
export function openLedger(config: Config): SlotTable {
  const { keys, providers, models, targets } = append(NOTHING, config)
  const room = {
    keys: keys.length + SPARE_KEYS,
    providers: providers.length + SPARE_PROVIDERS,
    models: models.length + SPARE_MODELS,
    targets: targets.length + SPARE_TARGETS,
  }
  return { keys, providers, models, targets, room }
}

/**
 * The slot table with the names of another configuration added. Models beyond its capacity share the label `other`.
 * @throws misconfigured when keys, providers or targets exceed it
 */
export function continueLedger(ledger: SlotTable, config: Config): SlotTable {
  const { room } = ledger
  const { keys, providers, models, targets } = append(ledger, config)
  const isFull = keys.length > room.keys || providers.length > room.providers || targets.length > room.targets
  if (isFull) {
    const message = 'The table of key, provider and target names is full. Restart the gateway.'
    throw new GatewayError('misconfigured', { message })
  }
  return { keys, providers, models: models.slice(0, room.models), targets, room }
}

function append(ledger: SlotTable, config: Config): Omit<SlotTable, 'room'> {
  const known = config.providers.flatMap((provider) => provider.knownModels)
  return {
    keys: unique(ledger.keys, namesOf(config.keys)),
    providers: unique(ledger.providers, namesOf(config.providers)),
    models: unique(ledger.models, namesOf(config.models), known),
    targets: unique(ledger.targets, targetNames(config)),
  }
}

/** The names of all targets of all models, in the order of the configuration. Names have no spaces, so they join three names. */
export function targetNames({ models }: Pick<Config, 'models'>): string[] {
  return models.flatMap(({ name, targets }) => targets.map(({ provider, model }) => `${name} ${provider} ${model}`))
}

function namesOf(list: readonly { readonly name: string }[]): string[] {
  return list.map(({ name }) => name)
}

function unique(...lists: readonly (readonly string[])[]): string[] {
  return [...new Set(lists.flat())]
}
