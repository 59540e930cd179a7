// Resolves `prices`: the price list is read here, once for all event loops, since it reaches them as part of the configuration.
import { resolve } from 'node:path'
import { type JsonValue } from '../../model/json.js'
import { readPrices } from '../../prices/read-prices.js'
import { type PricesConfig, type PriceTable } from '../../prices/types.js'
import { type ConfigFile } from '../schema/schema.js'
import { type ProblemList } from '../validate/problem.js'

/** The list that comes with Sluice. */
const OWN_LIST = 'resources/prices.json'

export type PriceFiles = {
  readonly problems: ProblemList
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
  return { ...prices, file, table: prices.enabled ? readTable(file, files) : null }
}

function readTable(file: string | null, { problems, packageRoot, readFile }: PriceFiles): PriceTable | null {
  const path = file ?? resolve(packageRoot, OWN_LIST)
  try {
    const text = readFile(path)
    if (text === null) throw new TypeError('The file does not exist.')
    const list = JSON.parse(text) as JsonValue
    return readPrices(list, versionOf(list))
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown)
    problems.add(['prices', 'file'], `${path} cannot be used: ${reason}`)
    return null
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
