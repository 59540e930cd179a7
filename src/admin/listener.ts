// The admin listener: an app of its own on event loop 0, apart from that of clients, with the routes of the admin API.
import { type AdminConfig } from '../config/listener-types.js'
import { GatewayError } from '../errors.js'
import { AddressTexts } from '../server/caller/address-text.js'
import { FORWARDED_PROTO, TrustedProxies } from '../server/caller/client-address.js'
import { FailedKeys } from '../server/caller/failed-keys.js'
import { HostNames } from '../server/caller/host-names.js'
import { createApp, isRenewed } from '../server/engine/app.js'
import { loadEngine, type TemplatedApp } from '../server/engine/engine.js'
import { createHeaderPolicy } from '../server/engine/fixed-headers.js'
import { Listener } from '../server/engine/listener.js'
import { HeadReader } from '../server/engine/request-head.js'
import { createRequestIdSource } from '../server/engine/request-id.js'
import { TurnGuard } from '../server/engine/turn-guard.js'
import { type ReadBrowserFile } from '../server/http/browser-file.js'
import { SCRATCH_BYTES } from '../server/http/sink.js'
import { type Log } from '../telemetry/records.js'
import { AdminKeys } from './admin-keys.js'
import { CONSOLE_PATH, createConsole } from './console/console-files.js'
import { type AdminGround, type AdminView, COOKIE, CSRF_TOKEN } from './http/admin-exchange.js'
import { ACCEPT, type AdminRoute, createAdminRoute, IF_MATCH, serve } from './http/admin-route.js'
import { Sessions } from './sessions.js'

/** `trustedProxies`: of the section `server`. */
export type AdminListenerConfig = AdminConfig & { readonly trustedProxies: readonly string[] }

export type AdminListenerOptions = {
  readonly config: AdminListenerConfig
  readonly routes: readonly AdminRoute[]
  /** What browsers load. */
  readonly readBrowserFile: ReadBrowserFile
  readonly log: () => AdminView['log'] & Pick<Log, 'warn'>
  readonly requestIdSeed: string
  /** Failed keys of one address per minute; null for no limit. */
  readonly failedKeysPerMinute: number | null
}

export type AdminListener = {
  /** Resolves with the port. @throws misconfigured when the address cannot be bound */
  listen(): Promise<number>
  /** Takes other keys, host names and proxies. */
  show(config: AdminListenerConfig): void
  /** What takes new connections under another certificate, once it is called; null where it is the same. @throws misconfigured */
  prepareTls(tls: AdminConfig['tls']): (() => void) | null
  /** Cuts everything open. */
  close(): void
}

/** Builds the app with all its routes; it does not listen yet. */
export function createAdminListener(options: AdminListenerOptions): AdminListener {
  const { config, routes, readBrowserFile } = options
  const page = createConsole(readBrowserFile)
  const engine = loadEngine()
  const ground = createGround(options)
  let { tls } = config
  const app = createApp(engine, tls)
  addAdminRoutes(app, ground, { routes, page })
  /** Includes the apps of replaced certificates, whose connections are still open. */
  const apps = [app]
  const binding = { app, host: config.host, port: config.port, isExclusive: true }
  const listener = new Listener({ engine, binding, onAccepting: () => undefined })
  return {
    listen: () => listener.listen(),
    show(next) {
      const view = createView(next, options)
      ground.view = view
      ground.sessions.endExcept((keySha256) => view.keys.findDigest(keySha256) !== null)
    },
    prepareTls(next) {
      if (!isRenewed(tls, next)) return null
      const renewed = createApp(engine, next)
      addAdminRoutes(renewed, ground, { routes, page })
      return () => {
        tls = next
        apps.push(renewed)
        listener.moveTo(renewed)
      }
    },
    close() {
      listener.close()
      for (const each of apps) each.close()
    },
  }
}

function createGround(options: AdminListenerOptions): AdminGround {
  const { requestIdSeed, failedKeysPerMinute: perMinute } = options
  const now = (): number => performance.now()
  return {
    view: createView(options.config, options),
    heads: new HeadReader([IF_MATCH, ACCEPT, COOKIE, CSRF_TOKEN, FORWARDED_PROTO]),
    addresses: new AddressTexts(),
    failedKeys: perMinute === null ? null : new FailedKeys({ perMinute, now, countsInside: true }),
    sessions: new Sessions(now),
    createRequestId: createRequestIdSource(`adm-${requestIdSeed}`),
    scratch: Buffer.allocUnsafeSlow(SCRATCH_BYTES),
    now,
    open: { requests: 0, sockets: 0 },
    guard: new TurnGuard(setImmediate, () => undefined),
  }
}

function createView(config: AdminListenerConfig, { log }: AdminListenerOptions): AdminView {
  return {
    keys: new AdminKeys(config.keys),
    hosts: new HostNames([config.host, ...config.allowedHosts]),
    // No other origin may read anything of it.
    fixed: createHeaderPolicy(config.tls !== null, []).fixed,
    isTls: config.tls !== null,
    proxies: new TrustedProxies(config.trustedProxies),
    log: {
      info: (fields, message) => log().info(fields, message),
      warn: (fields, message) => log().warn(fields, message),
      error: (fields, message) => log().error(fields, message),
    },
  }
}

type Served = { readonly routes: readonly AdminRoute[]; readonly page: ReturnType<typeof createConsole> }

function addAdminRoutes(app: TemplatedApp, ground: AdminGround, { routes, page }: Served): void {
  const allowed = new Map<string, string[]>()
  for (const path of ['/', CONSOLE_PATH, `${CONSOLE_PATH}/:file`]) {
    app.get(
      path,
      serve(ground, (exchange, req) => page(exchange, req.getUrl())),
    )
    allowed.set(path, ['GET'])
  }
  for (const route of routes) {
    const { method, path } = route
    const enter = createAdminRoute(ground, route)
    allowed.set(path, [...(allowed.get(path) ?? []), method])
    if (method === 'GET') app.get(path, enter)
    else if (method === 'POST') app.post(path, enter)
    else if (method === 'PATCH') app.patch(path, enter)
    else app.del(path, enter)
  }
  for (const [path, methods] of allowed) {
    const allow = [['allow', methods.join(', ')] as const]
    app.any(
      path,
      serve(ground, (exchange) => exchange.reject(new GatewayError('method_not_allowed'), allow)),
    )
  }
  app.any(
    '/*',
    serve(ground, () => {
      throw new GatewayError('not_found', { message: 'No such route; GET /admin/v1/openapi.json lists them.' })
    }),
  )
}
