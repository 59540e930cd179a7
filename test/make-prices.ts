// Writes resources/prices.json from the installed version of @pydantic/genai-prices: `npm run prices`. The lists of the vendors that
// the profiles name, and of those that they refer to; without texts for people.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { findProvider, type ModelInfo, type Provider } from '@pydantic/genai-prices'

const PROFILES = 'resources/providers'
const TARGET = 'resources/prices.json'

function named(): string[] {
  const profiles = readdirSync(PROFILES).map((file) => JSON.parse(readFileSync(`${PROFILES}/${file}`, 'utf8')))
  return profiles.flatMap(({ prices }: { prices?: string }) => prices ?? [])
}

function collect(ids: readonly string[], found: Map<string, Provider>): void {
  for (const id of ids) {
    if (found.has(id)) continue
    const provider = findProvider({ providerId: id })
    if (provider === undefined) throw new Error(`The price list has no provider ${id}.`)
    found.set(id, provider)
    collect(provider.fallback_model_providers ?? [], found)
  }
}

function slimModel({ id, match, prices }: ModelInfo): object {
  return { id, match, prices }
}

const found = new Map<string, Provider>()
collect(named(), found)
const { version } = JSON.parse(readFileSync('node_modules/@pydantic/genai-prices/package.json', 'utf8'))
const providers = [...found.values()]
  .sort((first, second) => first.id.localeCompare(second.id))
  .map(({ id, fallback_model_providers, models }) => ({
    ...{ id, ...(fallback_model_providers === undefined ? {} : { fallback_model_providers }) },
    models: models.map(slimModel),
  }))
const source = { name: 'genai-prices', version, license: 'MIT', url: 'https://github.com/pydantic/genai-prices' }
const lines = providers.map((provider) => JSON.stringify(provider)).join(',\n')
writeFileSync(TARGET, `{"source":${JSON.stringify(source)},"providers":[\n${lines}\n]}\n`)
process.stdout.write(
  `${TARGET}: ${providers.length} lists, ${providers.reduce((sum, { models }) => sum + models.length, 0)} models\n`,
)
