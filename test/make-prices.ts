// Writes resources/prices.json from the installed version of @pydantic/genai-prices: `npm run prices`. The lists of the vendors that
// the profiles name, and of those that they refer to; without texts for people.
//
// What that list does not have, the most output of a model, is LiteLLM's (MIT outside of its enterprise folder):
// `npm run prices -- model_prices_and_context_window.json 1.106.4`, a file of its repository or of its Python package, and its version.
// Without the file it stays as it is.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { findProvider, type ModelInfo, type Provider } from '@pydantic/genai-prices'
import { type JsonObject } from '../src/model/json.js'
import { findRow } from '../src/prices/price-book.js'
import { readPrices } from '../src/prices/read-prices.js'

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

/** LiteLLM's names of the vendors. */
const VENDORS: Readonly<Record<string, readonly string[]>> = {
  ...{ anthropic: ['anthropic'], aws: ['bedrock', 'bedrock_converse', 'amazon_nova'], baseten: ['baseten'] },
  ...{ azure: ['azure', 'azure_ai', 'azure_text'], cerebras: ['cerebras'], cloudflare: ['cloudflare'] },
  ...{ cohere: ['cohere', 'cohere_chat'], deepseek: ['deepseek'], fireworks: ['fireworks_ai'], groq: ['groq'] },
  ...{ google: ['gemini', 'vertex_ai-language-models', 'vertex_ai-anthropic_models'], minimax: ['minimax'] },
  ...{ mistral: ['mistral'], moonshotai: ['moonshot'], openai: ['openai', 'text-completion-openai'] },
  ...{
    openrouter: ['openrouter'],
    perplexity: ['perplexity'],
    together: ['together_ai'],
    'x-ai': ['xai'],
    zai: ['zai'],
  },
}

type Extra = { readonly max_output?: number }
/** By list, then by model. */
type Extras = ReadonlyMap<string, ReadonlyMap<string, Extra>>
type Written = {
  readonly source: JsonObject
  readonly providers: readonly { id: string; models: ({ id: string } & Extra)[] }[]
}

/** Those of the committed list. */
function extrasOf({ providers }: Written): Extras {
  const models = (list: Written['providers'][number]) =>
    list.models.flatMap(({ id, max_output }): [string, Extra][] =>
      max_output === undefined ? [] : [[id, { max_output }]],
    )
  return new Map(providers.map((list) => [list.id, new Map(models(list))]))
}

/** The facts of LiteLLM for each row: those of the model of its name, else of all that it is for, and then the least. */
function readExtras(file: string, providers: readonly Provider[]): Extras {
  const facts = Object.entries(JSON.parse(readFileSync(file, 'utf8')) as Record<string, Record<string, unknown>>)
  const { lists } = readPrices(JSON.parse(JSON.stringify(providers)), 'new')
  const extras = new Map<string, Map<string, Extra>>()
  for (const { id } of providers) {
    const rows = lists[id]?.rows ?? []
    const of = new Map<string, Extra>()
    const exact = new Set<string>()
    for (const [key, { litellm_provider: vendor, max_output_tokens: most }] of facts) {
      if (typeof most !== 'number' || !VENDORS[id]?.includes(String(vendor))) continue
      const names = [key, key.slice(key.indexOf('/') + 1), key.slice(key.lastIndexOf('/') + 1)]
      const name = names.find((each) => findRow(rows, each) !== null) ?? key
      const model = findRow(rows, name)?.model
      if (model === undefined || exact.has(model)) continue
      const before = of.get(model)?.max_output ?? most
      if (name === model) exact.add(model)
      of.set(model, { max_output: name === model ? most : Math.min(before, most) })
    }
    extras.set(id, of)
  }
  return extras
}

const found = new Map<string, Provider>()
collect(named(), found)
const { version } = JSON.parse(readFileSync('node_modules/@pydantic/genai-prices/package.json', 'utf8'))
const before = JSON.parse(readFileSync(TARGET, 'utf8')) as Written
const [, , file, fileVersion = 'unnamed'] = process.argv
const extras = file === undefined ? extrasOf(before) : readExtras(file, [...found.values()])
const outputs =
  file === undefined
    ? before.source.outputs
    : { name: 'litellm', version: fileVersion, license: 'MIT', url: 'https://github.com/BerriAI/litellm' }
const providers = [...found.values()]
  .sort((first, second) => first.id.localeCompare(second.id))
  .map(({ id, fallback_model_providers, models }) => ({
    ...{ id, ...(fallback_model_providers === undefined ? {} : { fallback_model_providers }) },
    models: models.map(({ id: model, match, prices }: ModelInfo) => ({
      id: model,
      match,
      prices,
      ...extras.get(id)?.get(model),
    })),
  }))
const source = {
  name: 'genai-prices',
  version,
  license: 'MIT',
  url: 'https://github.com/pydantic/genai-prices',
  outputs,
}
const lines = providers.map((provider) => JSON.stringify(provider)).join(',\n')
writeFileSync(TARGET, `{"source":${JSON.stringify(source)},"providers":[\n${lines}\n]}\n`)
process.stdout.write(
  `${TARGET}: ${providers.length} lists, ${providers.reduce((sum, { models }) => sum + models.length, 0)} models\n`,
)
