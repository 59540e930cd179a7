// npm run dev: starts the gateway, and builds and starts it again whenever a source or a resource changes. Ctrl-C ends all of
// it. Stands with the benches because neither goes into the image; a build that fails leaves the running gateway alone.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, type FSWatcher, readdirSync, watch } from 'node:fs'
import { join } from 'node:path'

const WATCHED = ['src', 'workers', 'resources']
const ENTRY = 'dist/src/main.js'
/** Run once for each change: its own watch mode leaves a process behind when it is stopped (TypeScript 7.0.2, tried). */
const COMPILER = 'node_modules/typescript/bin/tsc'
/** Saving one file is several events, changing a branch is hundreds; this long after the last of them the build begins. */
const QUIET_MS = 100
/** Who develops does not want to wait for a drain. */
const STOP_MS = 500

class Development {
  readonly #args: readonly string[]
  #gateway: ChildProcess | null = null
  #watchers: FSWatcher[] = []
  #timer: NodeJS.Timeout | null = null
  #isBuilding = false
  #isStale = false
  #isEnding = false

  /** `args` go to `sluice start` as they are. */
  constructor(args: readonly string[]) {
    this.#args = args
  }

  /** What is built already is started; the npm script has just built it. */
  begin(): void {
    this.#watchFolders()
    this.#startGateway()
  }

  async end(): Promise<void> {
    this.#isEnding = true
    await this.#stopGateway()
    process.exit(0)
  }

  readonly #onChange = (): void => {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#rebuild(), QUIET_MS)
  }

  async #rebuild(): Promise<void> {
    this.#isStale = true
    if (this.#isBuilding) return
    this.#isBuilding = true
    while (this.#isStale && !this.#isEnding) {
      this.#isStale = false
      const isBuilt = await build()
      this.#watchFolders()
      if (this.#isStale) continue
      if (isBuilt) {
        await this.#stopGateway()
        this.#startGateway()
      } else say('the build failed; the gateway goes on as it was')
    }
    this.#isBuilding = false
  }

  /** A folder's watcher sees its files, however an editor replaces them; not the folders in it. */
  #watchFolders(): void {
    for (const watcher of this.#watchers) watcher.close()
    this.#watchers = WATCHED.flatMap(foldersIn).map((folder) => watch(folder, this.#onChange).on('error', ignore))
  }

  #startGateway(): void {
    if (this.#isEnding) return
    const gateway = spawn(process.execPath, [ENTRY, 'start', ...this.#args], { stdio: 'inherit' })
    this.#gateway = gateway
    gateway.once('exit', (code) => {
      if (this.#gateway !== gateway) return
      this.#gateway = null
      if (!this.#isEnding) say(`the gateway ended with ${code}; a change starts it again`)
    })
  }

  async #stopGateway(): Promise<void> {
    const gateway = this.#gateway
    if (gateway === null) return
    this.#gateway = null
    const ended = once(gateway, 'exit')
    gateway.kill('SIGINT')
    const timer = setTimeout(() => gateway.kill('SIGKILL'), STOP_MS)
    await ended
    clearTimeout(timer)
  }
}

async function build(): Promise<boolean> {
  const compiler = spawn(process.execPath, [COMPILER, '-p', 'tsconfig.json'], { stdio: 'inherit' })
  const [code] = await once(compiler, 'exit')
  return code === 0
}

function foldersIn(folder: string): string[] {
  if (!existsSync(folder)) return []
  const entries = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  return [folder, ...entries.flatMap((entry) => foldersIn(join(folder, entry.name)))]
}

function ignore(): void {}

function say(text: string): void {
  process.stderr.write(`dev: ${text}\n`)
}

const development = new Development(process.argv.slice(2))
process.on('SIGINT', () => void development.end())
process.on('SIGTERM', () => void development.end())
development.begin()
