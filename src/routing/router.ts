// Maps the model name of a request to the targets that may serve it; balance.ts orders them.
//   a configured model > `provider/model` > the vendor profiles' patterns > 404
// Pure. The routes of configured models are built once per configuration, those of other names on first use.
import {
  type Config,
  type ModelConfig,
  type ProviderConfig,
  type SharingConfig,
  type TargetConfig,
  type Timeouts,
  type WellKnownProvider,
} from '../config/types.js'
import { GatewayError } from '../errors.js'
import { type JsonObject } from '../model/json.js'
import { type Target } from '../model/target.js'
import { type Allowed, mayUse, mayUseAll } from './access.js'
import { matchesGlob } from './glob.js'
import { Hedge } from './hedge.js'
import { type ThinkingNames, thinksByName } from './thinking.js'

export type RouteTarget = {
  readonly provider: ProviderConfig
  /** Position in the configuration: the provider's cell in limiter and metrics; -1 for one that is not configured. */
  readonly providerIndex: number
  readonly target: Target
  /** Name for metrics: the configured model's that the client asked for, else the upstream's. */
  readonly label: string
  /** Share of the traffic among the targets of its model. */
  readonly weight: number
  /** Cell of its requests in flight; -1 if they are not counted: a single target without a cap. */
  readonly slot: number
  /** The provider's timeouts, overridden by those of the model. */
  readonly timeouts: Timeouts
  /** Hedging of its model; null for none. */
  readonly hedge: Hedge | null
}

/** Where a model is served. */
export type Route = {
  readonly targets: readonly RouteTarget[]
  /** Tried in order when all targets have failed; those of a fallback itself are not followed. */
  readonly fallbacks: readonly Route[]
  /** Tried in order when the request is too long for a target. */
  readonly contextFallbacks: readonly Route[]
  readonly affinity: 'none' | 'prefix'
  /** How answers of the configured model are shared; null for not at all. */
  readonly sharing: SharingConfig | null
}

/** What routing needs to know of a request. */
export type RouteQuery = {
  readonly model: string
  /** Pins the request to this provider; null for any. */
  readonly provider: string | null
  /** The path names the provider: it may be a well-known one that is not configured, for a caller with its own key. */
  readonly byPath?: { readonly hasKey: boolean }
  /** Globs of the models the caller's key may use. */
  readonly allowed: Allowed
  /** A member of the request that may select another model, by its path; null or absent for none. */
  readonly selector?: string | null
}

export type ListedModel = { readonly id: string; readonly ownedBy: string }

/** The routes of one configuration. */
export class Router {
  readonly #providers: ReadonlyMap<string, { provider: ProviderConfig; index: number }>
  /** Providers that are not configured: no cells, no key. */
  readonly #wellKnown: ReadonlyMap<string, WellKnownProvider>
  /** Position among all targets of the configuration: its cell in the limiter. */
  readonly #slots: ReadonlyMap<TargetConfig, number>
  readonly #routes: ReadonlyMap<string, Route>
  /** Routes of names that are not configured models, for the names that clients have used. */
  readonly #found = new Map<string, Route>()
  readonly #targets: ReadonlyMap<string, readonly TargetConfig[]>
  readonly #listed: readonly ListedModel[]
  readonly #thinkingNames: ThinkingNames

  constructor(config: Pick<Config, 'providers' | 'models'> & Partial<Pick<Config, 'wellKnown' | 'thinkingNames'>>) {
    this.#thinkingNames = config.thinkingNames ?? NO_NAMES
    this.#wellKnown = new Map((config.wellKnown ?? []).map((entry) => [entry.provider.name, entry]))
    this.#providers = new Map(config.providers.map((provider, index) => [provider.name, { provider, index }]))
    this.#slots = new Map(config.models.flatMap((model) => model.targets).map((target, slot) => [target, slot]))
    this.#routes = this.#routesOf(config.models)
    this.#targets = new Map(config.models.map(({ name, targets }) => [name, targets]))
    this.#listed = Object.freeze([
      ...config.models.map((model) => ({ id: model.name, ownedBy: model.targets[0]?.provider ?? 'sluice' })),
      ...config.providers.flatMap((provider) =>
        provider.knownModels.map((name) => ({ id: `${provider.name}/${name}`, ownedBy: provider.name })),
      ),
    ])
  }

  /**
   * Where this request may be served.
   * @throws forbidden when the key may not use the model
   * @throws invalid_request when the pinned provider is not configured
   * @throws unauthenticated when it is well-known alone and the caller has no key with it
   * @throws model_not_found
   */
  route(query: RouteQuery): Route {
    if (!mayUseAll(query.allowed)) this.#checkReach(query)
    if (query.provider !== null) return routeTo(this.#pinned(query.provider, query))
    return this.#routes.get(query.model) ?? this.#found.get(query.model) ?? this.#find(query.model)
  }

  /** The same for each request of that name. */
  #find(model: string): Route {
    const found = this.#byPrefix(model) ?? this.#byPattern(model)
    if (found === null) {
      throw new GatewayError('model_not_found', {
        message: `The model '${model.slice(0, MAX_SHOWN_NAME)}' does not exist or no provider for it is configured.`,
        param: 'model',
      })
    }
    const route = routeTo(found)
    if (model.length > MAX_FOUND_CHARS) return route
    if (this.#found.size >= MAX_FOUND) this.#found.clear()
    this.#found.set(model, route)
    return route
  }

  /** The models that GET /v1/models lists for a key with these globs. */
  list(allowed: Allowed): readonly ListedModel[] {
    return this.#listed.filter((model) => mayUse(allowed, model.id))
  }

  /**
   * Checks a key that may not use every model. A pinned provider serves its own model of that name, so the key must allow
   * `provider/model`, or the name if it routes there by itself.
   */
  #checkReach({ model, provider, allowed, selector = null }: RouteQuery): void {
    let isAllowed = mayUse(allowed, model)
    if (provider !== null) {
      const bare = bareName(provider, model)
      const full = `${provider}/${bare}`
      const isNamed = mayUse(allowed, full) && (!this.#targets.has(full) || this.#leadsTo(full, provider, bare))
      isAllowed = isNamed || (model !== full && isAllowed && this.#leadsTo(model, provider, bare))
    }
    if (!isAllowed)
      throw new GatewayError('forbidden', { message: 'This key is not permitted to use this model.', param: 'model' })
    if (selector === null) return
    const message = `This key is restricted to certain models, so '${selector.slice(0, MAX_SHOWN_NAME)}' is not accepted: it could select another one.`
    throw new GatewayError('forbidden', { message, param: selector })
  }

  /** Whether the name alone routes to this model of that provider. */
  #leadsTo(name: string, provider: string, model: string): boolean {
    const configured = this.#targets.get(name)
    if (configured !== undefined) return configured.some((to) => to.provider === provider && to.model === model)
    if (this.#byPrefix(name) !== null) return false
    const found = this.#byPattern(name)
    if (found !== null) return found.provider.name === provider
    const known = this.#wellKnown.get(provider)?.provider
    return known !== undefined && ownsName(known, name)
  }

  #pinned(name: string, { model, byPath }: RouteQuery): RouteTarget {
    const bare = bareName(name, model)
    const found = this.#at(name, bare)
    if (found !== null) return found
    const known = byPath === undefined ? undefined : this.#wellKnown.get(name)
    if (known === undefined) throw this.#unsupported(name, byPath !== undefined)
    if (!known.isKeyless && byPath?.hasKey !== true) {
      const message = `Provider ${name} is not configured here: send your own key for it as X-API-Key.`
      throw new GatewayError('unauthenticated', { message })
    }
    return targetOf(known.provider, NO_CELL, this.#place({ model: bare, label: bare }))
  }

  #unsupported(name: string, isByPath: boolean): GatewayError {
    const said = `Unsupported provider: ${name.slice(0, MAX_SHOWN_NAME)}`
    const message = isByPath ? said : `${said}. Configured: ${[...this.#providers.keys()].join(', ')}.`
    return new GatewayError('invalid_request', { message, param: 'provider' })
  }

  #routesOf(models: readonly ModelConfig[]): ReadonlyMap<string, Route> {
    const byName = new Map(models.map((model) => [model.name, model]))
    const routesOf = (names: readonly string[], label: string): Route[] =>
      names.flatMap((name) => byName.get(name) ?? []).map((model) => this.#own(model, label))
    return new Map(
      models.map((model) => {
        const { name } = model
        const fallbacks = routesOf(model.fallbacks, name)
        return [
          name,
          { ...this.#own(model, name), fallbacks, contextFallbacks: routesOf(model.contextFallbacks, name) },
        ]
      }),
    )
  }

  /** Metrics name the model that the client requested, so the targets of a fallback have the label of that model. */
  #own(model: ModelConfig, label: string): Route {
    const hedge = model.hedge === null ? null : new Hedge(model.hedge)
    const targets = model.targets.flatMap((target) => {
      const found = this.#target(target.provider, this.#place({ model: target.model, label }, target))
      const { weight } = target
      const isCounted = model.targets.length > 1 || target.concurrency !== null
      const slot = isCounted ? (this.#slots.get(target) ?? NO_SLOT) : NO_SLOT
      return found === null
        ? []
        : [{ ...found, weight, slot, timeouts: laidOver(found.timeouts, model.timeouts), hedge }]
    })
    const sharing = sharingOf(model)
    return { targets, fallbacks: NO_ROUTES, contextFallbacks: NO_ROUTES, affinity: model.affinity, sharing }
  }

  #byPrefix(model: string): RouteTarget | null {
    const slash = model.indexOf('/')
    if (slash <= 0 || slash === model.length - 1) return null
    return this.#at(model.slice(0, slash), model.slice(slash + 1))
  }

  #byPattern(model: string): RouteTarget | null {
    for (const { provider } of this.#providers.values()) {
      if (ownsName(provider, model)) return this.#target(provider.name, this.#place({ model, label: model }))
    }
    return null
  }

  /** A provider's model by its own name, with the options configured for that name. */
  #at(provider: string, model: string): RouteTarget | null {
    const targets = this.#targets.get(model) ?? []
    const configured = targets.find((target) => target.provider === provider && target.model === model)
    return this.#target(provider, this.#place({ model, label: model }, configured))
  }

  #target(name: string, place: Place): RouteTarget | null {
    const entry = this.#providers.get(name)
    return entry === undefined ? null : targetOf(entry.provider, entry.index, place)
  }

  #place({ model, label }: Pick<Place, 'model' | 'label'>, configured?: TargetConfig): Place {
    const thinks = configured?.thinking ?? thinksByName(model, this.#thinkingNames)
    const contextTokens = configured?.contextTokens ?? undefined
    const maxOutputTokens = configured?.maxOutputTokens ?? undefined
    return { model, label, extraBody: configured?.extraBody ?? NO_EXTRA, thinks, contextTokens, maxOutputTokens }
  }
}

type Place = {
  readonly model: string
  readonly label: string
  readonly extraBody: JsonObject
  readonly thinks: boolean | undefined
  readonly contextTokens: number | undefined
  readonly maxOutputTokens: number | undefined
}

function targetOf(provider: ProviderConfig, providerIndex: number, place: Place): RouteTarget {
  const { model, label, extraBody, thinks, contextTokens, maxOutputTokens } = place
  const target: Target = {
    provider: provider.name,
    protocol: provider.protocol,
    model,
    quirks: provider.quirks,
    extraBody: extraBody === NO_EXTRA ? provider.extraBody : { ...provider.extraBody, ...extraBody },
    ...(thinks === undefined ? {} : { thinks }),
    ...(contextTokens === undefined ? {} : { contextTokens }),
    ...(maxOutputTokens === undefined ? {} : { maxOutputTokens }),
  }
  const { timeouts } = provider
  return { provider, providerIndex, target, label, weight: 1, slot: NO_SLOT, timeouts, hedge: null }
}

/** Longest part of a client's text that an error message quotes. */
const MAX_SHOWN_NAME = 100
/** Bounds the routes, since a client may name any model of a provider; a removed one is built again. */
const MAX_FOUND = 1000
const MAX_FOUND_CHARS = 256
const NO_SLOT = -1
const NO_ROUTES: readonly Route[] = Object.freeze([])
const NO_EXTRA: JsonObject = Object.freeze({})
const NO_NAMES: ThinkingNames = Object.freeze({})
/** The limiter counts nothing for it. */
const NO_CELL = -1

/** A model's own total bounds its whole answers, too. */
function laidOver(timeouts: Timeouts, own: ModelConfig['timeouts']): Timeouts {
  return { ...timeouts, ...(own.totalMs === undefined ? {} : { wholeMs: null }), ...own }
}

function routeTo(target: RouteTarget): Route {
  return { targets: [target], fallbacks: NO_ROUTES, contextFallbacks: NO_ROUTES, affinity: 'none', sharing: null }
}

function sharingOf({ coalesce = false, cache = null }: ModelConfig): SharingConfig | null {
  return coalesce || cache !== null ? { coalesce, cache } : null
}

/** The name of a model at the pinned provider, whose prefix it may have. */
function bareName(provider: string, model: string): string {
  return model.startsWith(`${provider}/`) ? model.slice(provider.length + 1) : model
}

function ownsName({ knownModels, modelPatterns }: ProviderConfig, model: string): boolean {
  return knownModels.includes(model) || modelPatterns.some((glob) => matchesGlob(glob, model))
}
