// The server of one event loop and its view of the current generation: the one place where the server's options are built from
// the parts of the gateway.

import { readBrowserFile, readVersion } from '../config/read.js'
import { hasTryPage, needsKeys } from '../config/resolve/gateway-keys.js'
import { type Config } from '../config/types.js'
import { TIMEOUT_HEADER } from '../pipeline/attempt/client-deadline.js'
import { type Pipeline, QUEUE_HEADER } from '../pipeline/client.js'
import { USER_HEADER } from '../pipeline/spending/end-user.js'
import { WEB_SOCKET_APIS, WEB_SOCKET_PROTOCOL } from '../protocols/index.js'
import { createServer, type Server, type ServerOptions, type ViewOptions } from '../server/app.js'
import { FailedKeys } from '../server/caller/failed-keys.js'
import { type ProviderStatus } from '../server/context.js'
import { type SharingPolicy } from '../server/sharing/sharing.js'
import { type LinkTokens } from '../streams/access/link-token.js'
import { breakerStates } from '../telemetry/metrics/cells.js'
import { TRACE_HEADERS } from '../telemetry/traces/tracer.js'
import { KeyUsageReports } from './accounts/key-usage.js'
import { announceAccepting } from './announce.js'
import { providerStatuses, tellBreakers } from './breaker-states.js'
import { CLOCK } from './clock.js'
import { FloodReport } from './flood-report.js'
import { type Generation } from './generation.js'
import { jobHabits } from './jobs.js'
import { DIALECTS, type Loop, metricsConfig, SURFACES, surfaceOf } from './loop.js'
import { findModel, listModels } from './model-list.js'
import { backgroundJobsOf } from './streams/background-jobs.js'
import { keepPolicy, linksOf, memoryPolicy } from './streams/keep-policy.js'

type LoopServerOptions = { readonly port: number; readonly loopIndex: number; readonly isReady: () => boolean }

/** The server, which passes requests of clients to the pipeline. */
export function createLoopServer(loop: Loop, options: LoopServerOptions): Server {
  const { config } = loop.current
  const view = viewOf(loop)
  const floods = new FloodReport({ metrics: loop.ground.metrics, log: () => loop.current.log, nowMs: CLOCK.nowMs })
  return createServer({
    ...view,
    config: { ...view.config, port: options.port },
    ownsMetricsPort: options.loopIndex === 0,
    compat: config.compat,
    requestIdSeed: loop.ground.requestIdSeed,
    failedKeys: createFailedKeys(config),
    keptStreams: loop.ground.keptStreams,
    sharing: loop.ground.sharing,
    bell: loop.bell,
    surfaces: SURFACES,
    webSocketSurface: surfaceOf(WEB_SOCKET_PROTOCOL),
    maxTurnBytes: config.responses.maxMessageBytes,
    webSocketApis: new Map([...WEB_SOCKET_APIS].map(([api, id]) => [api, surfaceOf(id)])),
    parameterHeaders: [
      TIMEOUT_HEADER,
      QUEUE_HEADER,
      USER_HEADER,
      ...(loop.current.tracer === null ? [] : TRACE_HEADERS),
      ...[...DIALECTS.values()].flatMap((dialect) => dialect.parameterHeaders),
    ],
    decode: (surfaceId, body) => loop.ground.offload.decode(surfaceId, body),
    isReady: options.isReady,
    isDegraded: () => loop.ground.accounts?.standing.isAway ?? false,
    ...{ version: readVersion, readBrowserFile },
    renderMetrics: () => loop.scrape.render(),
    ...(loop.ground.accounts === null ? {} : { usage: usageOf(loop) }),
    issuesTokens: loop.current.tokens !== null,
    jobDoor: loop.jobs.createDoor((surfaceId, body) => loop.ground.offload.decode(surfaceId, body)),
    onFlood: (kind, address) => floods.note(kind, address),
    onAccepting: (isAccepting, descriptors) => {
      announceAccepting(isAccepting, descriptors, { log: loop.current.log, metrics: loop.ground.metrics })
    },
  })
}

function usageOf(loop: Loop): NonNullable<ServerOptions['usage']> {
  const reports = new KeyUsageReports({
    store: () => loop.accounts,
    budgetsOf: async (keyId) => (await loop.ground.budgets?.usageOf(keyId)) ?? [],
    fileKeys: () => loop.current.config.keys,
    nowMs: CLOCK.nowMs,
  })
  return (key) => reports.of(key)
}

/** The server's view of a generation. */
export function viewOf(loop: Loop): ViewOptions {
  const { current } = loop
  const { config, prompts, refusal, receiving } = current
  const links = linksOf(loop)
  return {
    config: config.server,
    metrics: config.metrics,
    hasKeys: needsKeys(config),
    hasTryPage: hasTryPage(config),
    pipeline: tappedPipeline(loop),
    refusal,
    reserve: (key) => receiving.open(key.index),
    jobs: jobHabits(current),
    tokens: current.tokens,
    responses: current.responses,
    tracer: current.tracer,
    backgroundCaps: config.responses.background,
    backgroundJobs: backgroundJobsOf(loop),
    hasSocketMode: config.responses.webSocket,
    keep: keepPolicy(current, links),
    share: sharingPolicy(current, links),
    models: (key) => listModels(current, key),
    model: (key, id) => findModel(current, key, id),
    providers: () => providerStatusesOf(loop),
    languages: () => prompts.languages(),
  }
}

/** Requests of clients are noted as they begin, where their bodies are kept. */
function tappedPipeline({ current: { config, pipeline }, ground: { requestTap } }: Loop): Pipeline {
  if (requestTap === null || config.admin.maxKeptBytes === 0) return pipeline
  return {
    ...pipeline,
    start(request, sink) {
      requestTap.take?.(request)
      return pipeline.start(request, sink)
    },
  }
}

function sharingPolicy(generation: Generation, links: LinkTokens): SharingPolicy {
  const hasSharedModels = generation.config.models.some(({ coalesce, cache }) => coalesce === true || cache != null)
  return { keep: keepPolicy(generation, links), share: memoryPolicy(generation, links), hasSharedModels }
}

/** The present breakers of this loop, and the last reported ones of the others. */
export function providerStatusesOf({ current, ground, cells }: Loop): ProviderStatus[] {
  tellBreakers(current.config, ground.breakers, ground.metrics)
  const states = breakerStates(metricsConfig(current.config, cells.ledger), cells.metrics)
  return providerStatuses(current.config, states)
}

/** Not needed in a gateway without keys, but a reload may add some. */
function createFailedKeys({ limits }: Config): FailedKeys | null {
  const perMinute = limits.failedKeysPerMinute
  return perMinute === null ? null : new FailedKeys({ perMinute, now: CLOCK.nowMs })
}
