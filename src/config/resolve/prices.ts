// Resolves `prices`: the price list is read here, once for all event loops, since it reaches them as part of the configuration.
import { resolve } from 'node:path'
import { type JsonValue } from '../../model/json.js'
import { readPrices } from '../../prices/read-prices.js'
import { supplement } from '../../prices/supplement.js'
import { type PricesConfig, type PriceTable } from '../../prices/types.js'
import { type ConfigFile } from '../schema/schema.js'
import { type ProblemList } from '../validate/problem.js'

/** The list that comes with Sluice. */
const OWN_LIST = 'resources/prices.json'

export type PriceFiles = {
  readonly problems: ProblemList
  readonly warnings: string[]
  readonly cwd: string
  readonly packageRoot: string
  readFile(file: string): string | null
}

/** The prices, with their list where costs are computed. */
export function resolvePrices({ prices }: Pick<ConfigFile, 'prices'>, files: PriceFiles): PricesConfig {
  if (prices.unknown === 'default' && prices.default === null) {
    files.problems.add(['prices', 'default'], 'must be set where prices.unknown is default')
  }
  const file = prices.file === null ? null : resolve(files.cwd, prices.file)
  const given = { ...prices, file, cache: resolve(files.cwd, prices.cache) }
  return { ...given, table: prices.enabled ? findTable(given, files) : null }
}

type Given = { readonly file: string | null; readonly url: string | null; readonly cache: string }

/** The list that was downloaded, if there is one, else the file. */
function findTable({ file, url, cache }: Given, files: PriceFiles): PriceTable | null {
  const { problems, warnings, packageRoot } = files
  const own = resolve(packageRoot, OWN_LIST)
  const downloaded = url === null ? null : readTable(cache, files)
  if (downloaded !== null && 'lists' in downloaded) return supplemented(downloaded, readTable(own, files))
  if (downloaded?.isThere) warnings.push(`prices.cache: ${cache} is ignored: ${downloaded.reason}`)
  const path = file ?? own
  const found = readTable(path, files)
  if ('lists' in found) return file === null ? found : supplemented(found, readTable(own, files))
  problems.add(['prices', 'file'], `${path} cannot be used: ${found.reason}`)
  return null
}

function supplemented(table: PriceTable, own: PriceTable | NoTable): PriceTable {
  return 'lists' in own ? supplement(table, own) : table
}

type NoTable = { readonly reason: string; readonly isThere: boolean }

function readTable(path: string, { readFile }: PriceFiles): PriceTable | NoTable {
  let isThere = true
  try {
    const text = readFile(path)
    if (text === null) {
      isThere = false
      throw new TypeError('The file does not exist.')
    }
    const list = JSON.parse(text) as JsonValue
    return readPrices(list, versionOf(list))
  } catch (thrown) {
    return { reason: thrown instanceof Error ? thrown.message : String(thrown), isThere }
  }
}

/** As the list calls itself. */
function versionOf(list: JsonValue): string {
  const source = typeof list === 'object' && list !== null && !Array.isArray(list) ? list.source : undefined
  if (typeof source !== 'object' || source === null || Array.isArray(source)) return UNNAMED
  const { name, version } = source
  return typeof name === 'string' && typeof version === 'string' ? `${name} ${version}` : UNNAMED
}
const UNNAMED = 'unnamed'
