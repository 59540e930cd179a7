// From the model name a client wrote to the targets that may serve it, in the order to try them.
//   a configured model > `provider/model` > the vendor profiles' patterns > 404
// Pure but for the random number that is passed in; built once per configuration.
import {
  type Config,
  type ModelConfig,
  type ProviderConfig,
  type TargetConfig,
  type WellKnownProvider,
} from '../config/types.js'
import { GatewayError } from '../errors.js'
import { type JsonObject } from '../model/json.js'
import { type Target } from '../model/target.js'
import { matchesGlob } from './glob.js'

export type RouteTarget = {
  readonly provider: ProviderConfig
  /** Position in the configuration: the provider's cell in limiter and metrics; -1 for one that is not configured. */
  readonly providerIndex: number
  readonly target: Target
  /** Name for metrics: the configured model's, else the upstream's. */
  readonly label: string
}

/** What routing needs to know of a request. */
export type RouteQuery = {
  readonly model: string
  /** Pins the request to this provider; null for any. */
  readonly provider: string | null
  /** The path names the provider: it may be a well-known one that is not configured, for a caller with a key of its own. */
  readonly byPath?: { readonly hasKey: boolean }
  /** Globs of the models the caller's key may use. */
  readonly allowed: readonly string[]
  /** 0 <= n < 1; picks among weighted targets. */
  readonly random: () => number
}

export type ListedModel = { readonly id: string; readonly ownedBy: string }

/** The routes of one configuration. */
export class Router {
  readonly #providers: ReadonlyMap<string, { provider: ProviderConfig; index: number }>
  /** Providers that are not configured: no cells, no key. */
  readonly #wellKnown: ReadonlyMap<string, WellKnownProvider>
  readonly #models: ReadonlyMap<string, ModelConfig>
  readonly #listed: readonly ListedModel[]

  constructor(config: Pick<Config, 'providers' | 'models'> & Partial<Pick<Config, 'wellKnown'>>) {
    this.#wellKnown = new Map((config.wellKnown ?? []).map((entry) => [entry.provider.name, entry]))
    this.#providers = new Map(config.providers.map((provider, index) => [provider.name, { provider, index }]))
    this.#models = new Map(config.models.map((model) => [model.name, model]))
    this.#listed = Object.freeze([
      ...config.models.map((model) => ({ id: model.name, ownedBy: model.targets[0]?.provider ?? 'sluice' })),
      ...config.providers.flatMap((provider) =>
        provider.knownModels.map((name) => ({ id: `${provider.name}/${name}`, ownedBy: provider.name })),
      ),
    ])
  }

  /**
   * Targets to try in order: the model's own in weighted random order, then those of its fallbacks.
   * @throws forbidden when the key may not use the model
   * @throws invalid_request when the pinned provider is not configured
   * @throws unauthenticated when it is well-known alone and the caller has no key with it
   * @throws model_not_found
   */
  route(query: RouteQuery): readonly RouteTarget[] {
    const name = nameToAllow(query)
    if (!query.allowed.some((glob) => matchesGlob(glob, name))) {
      throw new GatewayError('forbidden', { message: 'This key may not use this model.', param: 'model' })
    }
    if (query.provider !== null) return [this.#pinned(query.provider, query)]
    const configured = this.#models.get(query.model)
    if (configured !== undefined) return this.#configured(configured, query.random)
    const found = this.#byPrefix(query.model) ?? this.#byPattern(query.model)
    if (found === null) {
      throw new GatewayError('model_not_found', {
        message: `The model '${query.model.slice(0, MAX_SHOWN_NAME)}' does not exist or no provider for it is configured.`,
        param: 'model',
      })
    }
    return [found]
  }

  /** What GET /v1/models shows to a key with these globs. */
  list(allowed: readonly string[]): readonly ListedModel[] {
    return this.#listed.filter((model) => allowed.some((glob) => matchesGlob(glob, model.id)))
  }

  #pinned(name: string, { model, byPath }: RouteQuery): RouteTarget {
    const bare = model.startsWith(`${name}/`) ? model.slice(name.length + 1) : model
    const found = this.#at(name, bare)
    if (found !== null) return found
    const known = byPath === undefined ? undefined : this.#wellKnown.get(name)
    if (known === undefined) throw this.#unsupported(name, byPath !== undefined)
    if (!known.isKeyless && byPath?.hasKey !== true) {
      const message = `Provider ${name} is not configured here: send your own key with it as X-API-Key.`
      throw new GatewayError('unauthenticated', { message })
    }
    return routeTo(known.provider, NO_CELL, { model: bare, label: bare, extraBody: NO_EXTRA })
  }

  #unsupported(name: string, isByPath: boolean): GatewayError {
    const said = `Unsupported provider: ${name.slice(0, MAX_SHOWN_NAME)}`
    const message = isByPath ? said : `${said}. Configured: ${[...this.#providers.keys()].join(', ')}.`
    return new GatewayError('invalid_request', { message, param: 'provider' })
  }

  #configured(model: ModelConfig, random: () => number): RouteTarget[] {
    const order = weightedOrder(model.targets, random)
    const fallbacks = model.fallbacks.flatMap((name) => weightedOrder(this.#models.get(name)?.targets ?? [], random))
    return [...order, ...fallbacks].flatMap((target) => {
      const found = this.#target(target.provider, target.model, model.name, target.extraBody)
      return found === null ? [] : [found]
    })
  }

  #byPrefix(model: string): RouteTarget | null {
    const slash = model.indexOf('/')
    if (slash <= 0 || slash === model.length - 1) return null
    return this.#at(model.slice(0, slash), model.slice(slash + 1))
  }

  #byPattern(model: string): RouteTarget | null {
    for (const { provider } of this.#providers.values()) {
      const isIts =
        provider.knownModels.includes(model) || provider.modelPatterns.some((glob) => matchesGlob(glob, model))
      if (isIts) return this.#target(provider.name, model, model, NO_EXTRA)
    }
    return null
  }

  /** A provider's model by its own name, with the fields that are configured for it under the same name. */
  #at(provider: string, model: string): RouteTarget | null {
    const targets = this.#models.get(model)?.targets ?? []
    const configured = targets.find((target) => target.provider === provider && target.model === model)
    return this.#target(provider, model, model, configured?.extraBody ?? NO_EXTRA)
  }

  #target(name: string, model: string, label: string, extraBody: JsonObject): RouteTarget | null {
    const entry = this.#providers.get(name)
    if (entry === undefined) return null
    return routeTo(entry.provider, entry.index, { model, label, extraBody })
  }
}

type Place = { readonly model: string; readonly label: string; readonly extraBody: JsonObject }

function routeTo(provider: ProviderConfig, providerIndex: number, { model, label, extraBody }: Place): RouteTarget {
  const target: Target = {
    provider: provider.name,
    protocol: provider.protocol,
    model,
    quirks: provider.quirks,
    extraBody: extraBody === NO_EXTRA ? provider.extraBody : { ...provider.extraBody, ...extraBody },
  }
  return { provider, providerIndex, target, label }
}

/** Longest part of a client's own text that an error message repeats. */
const MAX_SHOWN_NAME = 100
const NO_EXTRA: JsonObject = Object.freeze({})
/** The limiter counts nothing for it. */
const NO_CELL = -1

/**
 * The name that the key's globs must take. With a pinned provider a slash is no longer that of `provider/model`: a key for
 * `a/*` that pins b must not reach b's model `a/x`, so the pin stands before the name.
 */
function nameToAllow({ model, provider }: RouteQuery): string {
  if (provider === null || !model.includes('/') || model.startsWith(`${provider}/`)) return model
  return `${provider}/${model}`
}

/** Draws without replacement, each time in proportion to the weights left; weight 0 comes last. */
function weightedOrder(targets: readonly TargetConfig[], random: () => number): TargetConfig[] {
  if (targets.length < 2) return [...targets]
  const left = [...targets]
  const order: TargetConfig[] = []
  while (left.length > 0) {
    let point = random() * left.reduce((sum, target) => sum + target.weight, 0)
    let at = left.findIndex((target) => {
      point -= target.weight
      return point < 0
    })
    if (at < 0) at = 0
    order.push(...left.splice(at, 1))
  }
  return order
}
