// The HTTP engine: the only importer of uWebSockets.js. Loads the newest build that loads on this machine and says which.
// A worker thread only finds the addon that the main thread loaded; nothing here runs twice per process.

import { createRequire } from 'node:module'
import { GatewayError } from '../../errors.js'
import { ENGINE_FILES } from '../../package-files.js'
import { explainNoBuild, type System } from './builds.js'

// Types only, and not by an import statement, which would load the addon before its environment is set.
type Uws = typeof import('uWebSockets.js')
export type AppOptions = import('uWebSockets.js').AppOptions
export type HttpRequest = import('uWebSockets.js').HttpRequest
export type HttpResponse = import('uWebSockets.js').HttpResponse
export type ListenSocket = import('uWebSockets.js').us_listen_socket
export type TemplatedApp = import('uWebSockets.js').TemplatedApp
export type UpgradeContext = import('uWebSockets.js').us_socket_context_t
export type WebSocket<UserData> = import('uWebSockets.js').WebSocket<UserData>
export type WebSocketBehavior<UserData> = import('uWebSockets.js').WebSocketBehavior<UserData>

/** What we use of the addon's exports. */
export type UwsModule = {
  readonly App: Uws['App']
  readonly SSLApp: Uws['SSLApp']
  readonly LIBUS_LISTEN_EXCLUSIVE_PORT: number
  readonly us_listen_socket_close: (socket: ListenSocket) => void
  readonly us_socket_local_port: (socket: ListenSocket) => number
  /** Undocumented, and not in its types; present in the builds of both packages. */
  readonly _cfg?: (key: string) => void
}

/** `build` names the package and its version, for the start-up line. */
export type Engine = { readonly uws: UwsModule; readonly build: string }

/** One way to load the addon; throws if it does not support this Node or this system. */
export type EngineSource = () => Engine

/** Bytes of a request head: long bearer tokens pass, and 10,000 idle connections stay within 160 MB. */
const MAX_HEADERS_BYTES = '16384'

/**
 * Loads the engine from the first source that loads.
 * @throws misconfigured with the missing requirement, and the Node versions that run here
 */
export function loadEngine(sources: readonly EngineSource[] = ENGINE_SOURCES): Engine {
  // Read by the addon once, when it is loaded.
  process.env.UWS_HTTP_MAX_HEADERS_SIZE ??= MAX_HEADERS_BYTES
  let cause: unknown = null
  for (const source of sources) {
    try {
      const engine = source()
      // Answers need not say what serves them (`uWebSockets: 20`). Holds for this thread's event loop.
      engine.uws._cfg?.('silent')
      return engine
    } catch (thrown) {
      cause = thrown
    }
  }
  throw new GatewayError('misconfigured', {
    message: explainNoBuild(thisSystem()),
    cause,
  })
}

/** The newer build first; builds.ts has the requirements of each. */
export const ENGINE_SOURCES: readonly EngineSource[] = Object.freeze([loadNewer, loadOlder, () => loadCarried()])

const require = createRequire(import.meta.url)

function loadNewer(): Engine {
  const name = `@uwsjs/linux-${process.arch}-${process.versions.node.split('.')[0] ?? ''}`
  const uws: UwsModule = require(name)
  return { uws, build: `${name} ${readVersion(() => require(`${name}/package.json`))}` }
}

function loadOlder(): Engine {
  // The package exports only an ES module, which cannot be loaded synchronously: load the addon next to it.
  const home = import.meta.resolve('uWebSockets.js')
  const requireThere = createRequire(home)
  const uws: UwsModule = requireThere(`./bin/${binaryName()}`)
  return { uws, build: `uWebSockets.js ${readVersion(() => requireThere('../package.json'))}` }
}

/** What the package has with it. `files`: where. */
export function loadCarried(files = ENGINE_FILES): Engine {
  const requireThere = createRequire(files)
  const uws: UwsModule = requireThere(`./${binaryName()}`)
  return { uws, build: `uWebSockets.js ${readVersion(() => requireThere('./package.json'))}` }
}

function binaryName(): string {
  return `uws_${process.platform}_${process.arch}_${process.versions.modules}.node`
}

/** Takes a few ms for the C library's version, which only a report of the process contains. */
function thisSystem(): System {
  const { platform, arch, versions } = process
  const report: { readonly header?: { readonly glibcVersionRuntime?: string } } = process.report?.getReport() ?? {}
  return { platform, arch, nodeVersion: versions.node, glibc: report.header?.glibcVersionRuntime ?? null }
}

function readVersion(load: () => { readonly version?: unknown }): string {
  try {
    return String(load().version)
  } catch {
    return '(version unknown)'
  }
}
