// Writes resources/prices.json from the installed version of @pydantic/genai-prices: `npm run prices`. The lists of the vendors that
// the profiles name, and of those that they refer to; without texts for people.
//
// What that list does not have, the most output of a model and the prices of other classes of service, is LiteLLM's (MIT outside of its
// enterprise folder): `npm run prices -- model_prices_and_context_window.json 1.106.4`, a file of its repository or of its Python package,
// and its version. Without the file it stays as it is.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { findProvider, type ModelInfo, type Provider } from '@pydantic/genai-prices'
import { type JsonObject } from '../src/model/json.js'
import { findRow } from '../src/prices/price-book.js'
import { readPrices } from '../src/prices/read-prices.js'

const PROFILES = 'resources/providers'
const TARGET = 'resources/prices.json'

/** Examples, so that costs and budgets can be tried without a provider. */
const SIMULATED = {
  id: 'sim',
  models: [{ id: 'example', match: { regex: '.' }, prices: { input_mtok: 1, output_mtok: 4 } }],
}

function named(): string[] {
  const profiles = readdirSync(PROFILES).map((file) => JSON.parse(readFileSync(`${PROFILES}/${file}`, 'utf8')))
  return profiles.flatMap(({ prices }: { prices?: string }) => prices ?? []).filter((id) => id !== SIMULATED.id)
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

type Extra = { readonly max_output?: number; readonly service_tiers?: Readonly<Record<string, number>> }
/** By list, then by model. */
type Extras = ReadonlyMap<string, ReadonlyMap<string, Extra>>
type Written = {
  readonly source: JsonObject
  readonly providers: readonly { id: string; models: ({ id: string } & Extra)[] }[]
}

/** Those of the committed list. */
function extrasOf({ providers }: Written): Extras {
  const models = (list: Written['providers'][number]) =>
    list.models.map(({ id, max_output, service_tiers }): [string, Extra] => [
      id,
      {
        ...(max_output === undefined ? {} : { max_output }),
        ...(service_tiers === undefined ? {} : { service_tiers }),
      },
    ])
  return new Map(providers.map((list) => [list.id, new Map(models(list))]))
}

/** What LiteLLM knows of one model. */
type Facts = Readonly<Record<string, unknown>>

/** By list and model: the facts of the model of its name, else of all that its row is for. */
function readExtras(file: string, providers: readonly Provider[]): Extras {
  const all = Object.entries(JSON.parse(readFileSync(file, 'utf8')) as Record<string, Facts>)
  const { lists } = readPrices(JSON.parse(JSON.stringify(providers)), 'new')
  const extras = new Map<string, Map<string, Extra>>()
  for (const { id } of providers) {
    const rows = lists[id]?.rows ?? []
    const exact = new Map<string, Facts[]>()
    const matched = new Map<string, Facts[]>()
    for (const [key, facts] of all) {
      if (!VENDORS[id]?.includes(String(facts.litellm_provider))) continue
      const names = [key, key.slice(key.indexOf('/') + 1), key.slice(key.lastIndexOf('/') + 1)]
      const name = names.find((each) => findRow(rows, each) !== null) ?? key
      const model = findRow(rows, name)?.model
      if (model === undefined) continue
      matched.set(model, [...(matched.get(model) ?? []), facts])
      if (name === model) exact.set(model, [facts])
    }
    const models = [...matched].map(([model, facts]): [string, Extra] => [model, extraOf(exact.get(model) ?? facts)])
    extras.set(id, new Map(models))
  }
  return extras
}

function extraOf(facts: readonly Facts[]): Extra {
  const outputs = facts.flatMap(({ max_output_tokens: most }) => (typeof most === 'number' ? [most] : []))
  const tiers = SERVICE_TIERS.flatMap((tier): [string, number][] => {
    const multiple = multipleOf(facts, tier)
    return multiple === null ? [] : [[tier, multiple]]
  })
  return {
    ...(outputs.length === 0 ? {} : { max_output: Math.min(...outputs) }),
    ...(tiers.length === 0 ? {} : { service_tiers: Object.fromEntries(tiers) }),
  }
}

/** As vendors report them in their answers. */
const SERVICE_TIERS = ['flex', 'priority'] as const
const TOKEN_PRICES = ['input_cost_per_token', 'output_cost_per_token', 'cache_read_input_token_cost'] as const

/** The digits that two prices of LiteLLM's list have in common. */
function round(multiple: number): number {
  return Number(multiple.toPrecision(5))
}

/** By how much a class of service is dearer; null if not all of its prices are so by the same. */
function multipleOf(facts: readonly Facts[], tier: string): number | null {
  const multiples = facts.flatMap((each) =>
    TOKEN_PRICES.flatMap((name) => {
      const [usual, other] = [each[name], each[`${name}_${tier}`]]
      return typeof usual === 'number' && typeof other === 'number' && usual > 0 ? [other / usual] : []
    }),
  )
  const most = Math.max(...multiples)
  return multiples.length > 1 && most - Math.min(...multiples) < 0.005 ? round(multiples[0] ?? most) : null
}

const found = new Map<string, Provider>()
collect(named(), found)
const { version } = JSON.parse(readFileSync('node_modules/@pydantic/genai-prices/package.json', 'utf8'))
const before = JSON.parse(readFileSync(TARGET, 'utf8')) as Written
const [, , file, fileVersion = 'unnamed'] = process.argv
const extras = file === undefined ? extrasOf(before) : readExtras(file, [...found.values()])
const supplement =
  file === undefined
    ? before.source.supplement
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
  supplement,
}
const lines = [...providers, SIMULATED].map((provider) => JSON.stringify(provider)).join(',\n')
writeFileSync(TARGET, `{"source":${JSON.stringify(source)},"providers":[\n${lines}\n]}\n`)
process.stdout.write(
  `${TARGET}: ${providers.length} lists, ${providers.reduce((sum, { models }) => sum + models.length, 0)} models\n`,
)
