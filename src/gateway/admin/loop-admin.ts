// The admin API's part of one event loop: notes the last requests, and answers what event loop 0 asks. On event loop 0 itself also the
// listener. Loaded only where the admin API has a key.
import { createHash } from 'node:crypto'
import { hostname } from 'node:os'
import { type MessagePort } from 'node:worker_threads'
import { type Audit, MemoryAudit, StoreAudit } from '../../admin/audit.js'
import { type AdminContext } from '../../admin/context.js'
import { type AdminListener, type AdminListenerConfig, createAdminListener } from '../../admin/listener.js'
import { AllLoops } from '../../admin/loops/all-loops.js'
import { OwnLoop } from '../../admin/loops/own-loop.js'
import { PortLoop } from '../../admin/loops/port-loop.js'
import { serveAdmin } from '../../admin/loops/serve-port.js'
import { Pauses } from '../../admin/pauses.js'
import { createAdminRoutes } from '../../admin/routes/all-routes.js'
import { type AdminConfig } from '../../config/listener-types.js'
import { readBrowserFile, readVersion } from '../../config/read.js'
import { type Config } from '../../config/types.js'
import { type ClientRequest } from '../../pipeline/client.js'
import { createExchangeLine } from '../../telemetry/log/exchange-line.js'
import { createRedactor, type Redactor } from '../../telemetry/log/redact.js'
import { KeptBodies } from '../../telemetry/recent/kept-bodies.js'
import { ProviderAttempts } from '../../telemetry/recent/provider-attempts.js'
import { type RecentRequest, RecentRequests } from '../../telemetry/recent/recent-requests.js'
import { type ConfigPlaces, type ReloadReport } from '../announce.js'
import { CLOCK } from '../clock.js'
import { logSecrets } from '../generation.js'
import { pipelinesOf } from '../generations.js'
import { type Loop, type LoopPlace } from '../loop.js'
import { providerStatusesOf } from '../loop-server.js'
import { ConfigHistory } from './config-history.js'
import { createTrials, type LoopTrials } from './trials.js'

/** How often pauses of other nodes are looked for, and loops and a database that did not answer asked again. */
const SYNC_EVERY_MS = 1000
/** Bytes of the mark that distinguishes the streams of this process from those of another one. */
const SEED_BYTES = 6

export class LoopAdmin {
  readonly #loop: Loop
  readonly #place: Pick<LoopPlace, 'loopIndex' | 'connectLoop'>
  readonly #own: OwnLoop
  readonly #seed: string
  readonly #history: ConfigHistory
  readonly #trials: LoopTrials
  readonly #bodies: KeptBodies
  #listener: AdminListener | null = null
  #syncing: NodeJS.Timeout | null = null

  /** `isRefusing`: the loop accepts no new requests. */
  constructor(loop: Loop, place: Pick<LoopPlace, 'loopIndex' | 'connectLoop'>, isRefusing: () => boolean) {
    const { breakers, tap, requestTap } = loop.ground
    const recent = new RecentRequests(Date.now)
    const attempts = new ProviderAttempts(CLOCK.nowMs)
    const bodies = new KeptBodies()
    const redactor = createRedactorOf(() => loop.current.config)
    const pipelines = pipelinesOf(loop)
    const { loopIndex } = place
    this.#loop = loop
    this.#place = place
    this.#trials = createTrials(loop, isRefusing)
    this.#seed = seedOf(loop.cells.linkSecret)
    this.#history = new ConfigHistory(loop.current.config, Date.now)
    this.#own = new OwnLoop({
      ...{ loopIndex, seed: this.#seed, recent, bodies, attempts, lineOf: createLineOf(redactor) },
      listOpen: () => pipelines().flatMap((pipeline) => pipeline.listOpen()),
      pause: (providers) => breakers.pause(providers),
    })
    this.#bodies = bodies
    if (requestTap !== null) requestTap.take = (request) => this.#keep(request, redactor())
    if (tap === null) return
    tap.take = (record) => {
      recent.note(record)
      attempts.note(record)
    }
  }

  /** Event loop 0 asks this one through the port. */
  accept(port: MessagePort): void {
    serveAdmin(port, this.#own)
  }

  /** On event loop 0: resolves with its URL. @throws misconfigured when the address cannot be bound */
  async listen(): Promise<string> {
    const { config } = this.#loop.current
    const context = this.#context()
    this.#listener = createAdminListener({
      config: listenerConfig(config),
      ...{ routes: createAdminRoutes(context), readBrowserFile },
      log: () => this.#loop.current.log,
      requestIdSeed: this.#loop.ground.requestIdSeed,
      failedKeysPerMinute: config.limits.failedKeysPerMinute,
    })
    // Before this loop has its first request; the others are told as soon as they listen.
    await context.paused.sync()
    this.#syncing = setInterval(() => void context.paused.sync(), SYNC_EVERY_MS).unref()
    return originOf(config.admin, await this.#listener.listen())
  }

  /** What takes the certificate of a new configuration, once it is called; null where it is the same. @throws misconfigured */
  prepareTls({ admin }: Config): (() => void) | null {
    return this.#listener?.prepareTls(admin.tls) ?? null
  }

  /** The loop has a new configuration. */
  renewed(): void {
    this.#listener?.show(listenerConfig(this.#loop.current.config))
    this.#trials.endForbidden()
    this.#bodies.shrink(this.#loop.current.config.admin.maxKeptBytes)
  }

  tellPlaces(places: ConfigPlaces): void {
    this.#history.placed(places)
  }

  tellReload(report: ReloadReport): void {
    this.#history.reloaded(report, this.#loop.current.config)
  }

  close(): void {
    if (this.#syncing !== null) clearInterval(this.#syncing)
    this.#listener?.close()
  }

  /** The request will be changed and passed to a thread. One in which a secret is, is not kept at all. */
  #keep(request: ClientRequest, redactor: Redactor): void {
    const { requestId, key, body } = request
    const { maxKeptBytes } = this.#loop.current.config.admin
    const path = body.length > maxKeptBytes ? null : this.#trials.pathOf(request)
    if (path === null) return
    const bytes = body.slice()
    if (redactor.hasSecret(new TextDecoder().decode(bytes))) return
    this.#bodies.note({ requestId, path, key: key.name, owner: key.owner, bytes }, maxKeptBytes)
  }

  #context(): AdminContext {
    const { connectLoop } = this.#place
    const loop = this.#loop
    const loops = new AllLoops({
      ...{ own: this.#own, threads: loop.current.config.server.threads, seed: this.#seed },
      async connect(index) {
        const port = await connectLoop(index, 'admin')
        return port === null ? null : new PortLoop(port)
      },
    })
    return {
      node: hostname(),
      loops,
      audit: auditOf(loop),
      config: () => this.#history.report(loop.current.config),
      providers: () => providersOf(loop),
      paused: new Pauses({
        store: () => loop.accounts,
        isShared: loop.current.config.accounts.store === 'postgres',
        apply: (providers) => loops.pause(providers),
      }),
      version: readVersion,
      trials: this.#trials,
      accounts: () => this.#loop.accounts,
      fileKeys: () => loop.current.config.keys,
    }
  }
}

/** In the database where there is one, to outlast the process. */
function auditOf(loop: Loop): Audit {
  const log = () => loop.current.log
  return loop.accounts === null ? new MemoryAudit(log, Date.now) : new StoreAudit(loop.accounts, log, Date.now)
}

function providersOf(loop: Loop) {
  const breakers = new Map(providerStatusesOf(loop).map(({ name, breaker }) => [name, breaker]))
  return loop.current.config.providers.map(({ name, protocol, baseUrl }) => {
    return { name, protocol, baseUrl, breaker: breakers.get(name) ?? 'closed' }
  })
}

/** All event loops of a process have the same memory, and no other process has it. */
function seedOf(shared: SharedArrayBuffer): string {
  const digest = createHash('sha256').update('admin').update(new Uint8Array(shared).slice()).digest()
  return digest.subarray(0, SEED_BYTES).toString('base64url')
}

/** What knows the secrets of the present configuration. */
function createRedactorOf(current: () => Config): () => Redactor {
  let config: Config | null = null
  let redactor: Redactor | null = null
  return () => {
    if (redactor === null || config !== current()) {
      config = current()
      const { secrets, keyDigests: digests, keyNames: names } = logSecrets(config)
      redactor = createRedactor(secrets, { digests, names })
    }
    return redactor
  }
}

/** The members of a request's log line; secrets of the present configuration are left out, as from the log. */
function createLineOf(redactor: () => Redactor): (request: RecentRequest) => Record<string, never> {
  let known: Redactor | null = null
  let write: ReturnType<typeof createExchangeLine> | null = null
  return ({ record }) => {
    if (write === null || known !== redactor()) {
      known = redactor()
      write = createExchangeLine({ redactor: known, ownIdSeed: null, timestamp: () => '' })
    }
    const { level: _, msg: __, ...line } = JSON.parse(write('info', record))
    return line
  }
}

function originOf({ host, tls }: AdminConfig, port: number): string {
  return `${tls === null ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${port}`
}

function listenerConfig({ admin, server }: Config): AdminListenerConfig {
  return { ...admin, trustedProxies: server.trustedProxies }
}
