// The thin edge of configuration: reads resource files, the configuration file and the environment of this process, and
// hands them to the pure parts. The only file under config/ that touches disk, process or socket.
import { accessSync, constants, readdirSync, readFileSync } from 'node:fs'
import { get } from 'node:http'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseEnv } from 'node:util'
import { GatewayError } from '../errors.js'
import { BROWSER_FILES, PACKAGE_ROOT, RESOURCES } from '../package-files.js'
import { type Catalog, makeCatalog } from './catalog.js'
import { type LocalGet } from './discover.js'
import { ENV_FILE, type LoadedConfig, loadConfig, type Overrides } from './load.js'
import { refusal } from './validate/problem.js'

/** A list of models has some kilobytes; anything longer is something else. */
const MAX_LIST_BYTES = 1_048_576

/**
 * The vendors and models that ship with this version.
 * @throws misconfigured if a resource file is wrong
 */
export function readCatalog(resources: URL = RESOURCES): Catalog {
  const folder = new URL('providers/', resources)
  const files = readdirSync(folder).filter((file) => file.endsWith('.json'))
  return makeCatalog({
    profiles: files.map((file) => ({ file, value: readJson(new URL(file, folder)) })),
    protocols: readJson(new URL('protocols.json', resources)),
    models: readJson(new URL('models.json', resources)),
    thinking: readJson(new URL('thinking.json', resources)),
  })
}

/** What the names of another gateway's configuration stand for here. */
export function readImportNames(gateway: string): unknown {
  return readJson(new URL(`import/${gateway}.json`, RESOURCES))
}

/**
 * Loads the configuration of this process: its environment, working directory, files and cores.
 * @throws misconfigured with one line per problem
 */
export function readConfig(overrides: Overrides, catalog: Catalog): LoadedConfig {
  const env = process.env
  const cores = availableParallelism()
  const packageRoot = fileURLToPath(PACKAGE_ROOT)
  let path: string | null = null
  const onFile = (file: string): void => {
    path = file
  }
  const outside = { nowMs: Date.now(), readFile: readText, isReadable, onFile }
  try {
    return loadConfig({ env, overrides, cwd: process.cwd(), packageRoot, catalog, cores, ...outside })
  } catch (thrown) {
    // The lines that follow count in this file.
    if (path === null || !(thrown instanceof GatewayError)) throw thrown
    throw refusal(`${path}:\n${thrown.message}`)
  }
}

/** The files from which the configuration of this process is read, whether they exist or not. */
export function filesOf({ configFile }: Pick<LoadedConfig, 'configFile'>): string[] {
  const env = resolve(process.cwd(), ENV_FILE)
  return configFile === null ? [env] : [configFile, env]
}

/** A variable of this process's environment, or of `.env` in the working directory; null where it is not set, or empty. */
export function readVariable(name: string): string | null {
  const ofFile = parseEnv(readText(resolve(process.cwd(), ENV_FILE)) ?? '')[name]
  return process.env[name] || ofFile || null
}

/** The version of this package. */
export function readVersion(): string {
  const manifest = readJson(new URL('package.json', PACKAGE_ROOT)) as { readonly version?: string }
  return manifest.version ?? 'unknown'
}

/** A file that browsers load, by its name among those; null if there is none. */
export function readBrowserFile(name: string): Buffer | null {
  try {
    return readFileSync(new URL(name, BROWSER_FILES))
  } catch {
    return null
  }
}

/** GET on this machine: the body of a 200 answer, null for anything else. Never rejects. */
export const getLocal: LocalGet = (url, timeoutMs) =>
  new Promise((done) => {
    const give = (body: string | null): void => {
      done(body)
      request.destroy()
    }
    const request = get(url, { signal: AbortSignal.timeout(timeoutMs), agent: false }, (answer) => {
      let body = ''
      if (answer.statusCode !== 200) return give(null)
      answer.setEncoding('utf8')
      answer.on('data', (chunk: string) => {
        body += chunk
        if (body.length > MAX_LIST_BYTES) give(null)
      })
      answer.on('end', () => give(body))
      answer.on('error', () => done(null))
    })
    request.on('error', () => done(null))
  })

/**
 * The text of a file that an option names.
 * @throws misconfigured, naming both
 */
export function readGiven(option: string, file: string): string {
  const text = readText(file)
  if (text === null) throw refusal(`${option}: the file ${file} does not exist`)
  return text
}

/** @throws misconfigured if the file is there but cannot be read */
function readText(file: string): string | null {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
    if (code === 'ENOENT') return null
    throw refusal(`${file} cannot be read: ${code}`)
  }
}

function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK)
    return true
  } catch {
    return false
  }
}

function readJson(url: URL): unknown {
  return JSON.parse(readFileSync(url, 'utf8'))
}
