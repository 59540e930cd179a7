// The builds of the HTTP engine, for each Node version and system, and the reason if none of them runs here. Loads nothing.

/** Where this process runs. */
export type System = {
  readonly platform: string
  readonly arch: string
  /** `process.versions.node`. */
  readonly nodeVersion: string
  /** Version of the C library, such as `2.36`; null if it is not glibc. */
  readonly glibc: string | null
}

export type EngineBuild = {
  readonly package: string
  readonly platform: string
  readonly archs: readonly string[]
  /** Major versions of Node. */
  readonly nodes: readonly number[]
  /** The oldest glibc that it runs with, by the symbols it needs; null on other systems than Linux. */
  readonly glibc: string | null
}

/** All that `package.json` can install, the newest first; docs/guide/getting-started.md has the same table; a test reads the binaries. */
export const ENGINE_BUILDS: readonly EngineBuild[] = Object.freeze([
  { package: '@uwsjs/linux-x64-*', platform: 'linux', archs: ['x64'], nodes: [22, 24, 26], glibc: '2.38' },
  { package: 'uws-pack', platform: 'linux', archs: ['x64', 'arm64'], nodes: [20, 22], glibc: '2.27' },
  { package: 'uws-pack', platform: 'darwin', archs: ['x64', 'arm64'], nodes: [20, 22], glibc: null },
  { package: 'uws-pack', platform: 'win32', archs: ['x64'], nodes: [20, 22], glibc: null },
])

/** Major versions of Node that a build runs on here, ascending. */
export function nodesServed(system: Pick<System, 'platform' | 'arch' | 'glibc'>): number[] {
  const served = ENGINE_BUILDS.filter((build) => isForSystem(build, system) && hasGlibc(build, system))
  return [...new Set(served.flatMap(({ nodes }) => nodes))].sort((a, b) => a - b)
}

/** Why no build runs here, and which Node versions do; without a full stop if a cause follows. */
export function explainNoBuild(system: System): string {
  const node = Number.parseInt(system.nodeVersion, 10)
  const served = nodesServed(system)
  const here = `Node ${system.nodeVersion} on ${system.platform} ${system.arch}${libraryOf(system)}`
  const reason = `The HTTP engine (uWebSockets.js) does not run with ${here}: ${reasonFor(node, served, system)}.`
  const others = served.filter((each) => each !== node)
  if (others.length === 0) return reason
  return `${reason} On this system it runs with Node ${listOf(others)}.`
}

function reasonFor(node: number, served: readonly number[], system: System): string {
  const forSystem = ENGINE_BUILDS.filter((build) => isForSystem(build, system))
  if (forSystem.length === 0) return `there is no build for ${system.platform} ${system.arch}`
  if (system.platform === 'linux' && system.glibc === null)
    return 'its builds need glibc, and this system has another C library'
  // A build fits, so its package is missing or damaged.
  if (served.includes(node))
    return 'its build for them is not installed or cannot be loaded; run npm ci with optional dependencies'
  const needed = forSystem.find(({ nodes }) => nodes.includes(node))?.glibc ?? null
  if (needed !== null) return `its build for Node ${node} needs glibc ${needed} or newer`
  return `there is no build for Node ${node} on this system`
}

function isForSystem(build: EngineBuild, { platform, arch }: Pick<System, 'platform' | 'arch'>): boolean {
  return build.platform === platform && build.archs.includes(arch)
}

function hasGlibc({ glibc }: EngineBuild, system: Pick<System, 'glibc'>): boolean {
  return glibc === null || (system.glibc !== null && compareVersions(system.glibc, glibc) >= 0)
}

function compareVersions(a: string, b: string): number {
  const [majorA = 0, minorA = 0] = a.split('.').map(Number)
  const [majorB = 0, minorB = 0] = b.split('.').map(Number)
  return majorA - majorB || minorA - minorB
}

function libraryOf({ platform, glibc }: System): string {
  if (platform !== 'linux') return ''
  return glibc === null ? ' without glibc' : ` with glibc ${glibc}`
}

function listOf(nodes: readonly number[]): string {
  const last = nodes.at(-1)
  return nodes.length < 2 ? String(last) : `${nodes.slice(0, -1).join(', ')} or ${last}`
}
