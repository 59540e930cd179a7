// The providers of an imported LiteLLM configuration. There each deployment of a model has its own address and key; here deployments with
// the same ones share a provider.
import { isJsonObject, type JsonObject, type JsonValue } from '../../model/json.js'
import { type ImportReport } from './import-report.js'

/** resources/import/litellm.json: what the names of that project stand for here. */
export type LitellmNames = {
  /** By the part of a model's name before the slash. */
  readonly providers: Readonly<Record<string, Place>>
  /** The member of litellm_params for each part of an address. */
  readonly address: Readonly<Record<string, string>>
  readonly credentials: readonly CloudNames[]
  /** Models that a profile serves by another API than its own; `models`: a regular expression. */
  readonly doors: readonly { readonly profile: string; readonly models: string; readonly protocol: string }[]
}

/** Where a provider's models are; `cloud`: the kind of its credentials, where there is no API key. */
type Place = { readonly profile?: string; readonly protocol?: string; readonly cloud?: string }

/** A member of litellm_params that is a secret, and the variable in which it is expected if it stands in the file. */
type SecretName = { readonly param: string; readonly variable: string }

/** How the credentials of a cloud are named; they are meant where one of `marks` is set. */
type CloudNames = {
  readonly kind: string
  readonly marks: readonly string[]
  readonly members: Readonly<Record<string, SecretName>>
  /** The path of a file with an account, or the account itself as JSON. */
  readonly account?: SecretName
}

/** What an import knows of the vendors of this version. */
export type KnownVendors = {
  /** The variables that may hold the API key, by profile. */
  readonly keyVariables: (profile: string) => readonly string[]
  /** The provider that serves a model named without one; null if unknown. */
  readonly providerOf: (model: string) => string | null
}

const REFERENCE = 'os.environ/'
/** Members of litellm_params that make up a provider, beside those of clouds. */
const ENDPOINT_PARAMS = [
  ...['model', 'api_key', 'api_base', 'base_url', 'api_version', 'extra_headers', 'custom_llm_provider'],
]

/** All members of litellm_params that make up a provider. */
export function providerParams({ address, credentials }: LitellmNames): readonly string[] {
  const secrets = credentials.flatMap(({ members, account }) => [
    ...Object.values(members),
    ...(account === undefined ? [] : [account]),
  ])
  return [...ENDPOINT_PARAMS, ...Object.values(address), ...secrets.map(({ param }) => param)]
}

export class LitellmProviders {
  /** By name, in the form of the configuration file. */
  readonly entries: Record<string, JsonObject> = {}
  readonly #names: LitellmNames
  readonly #vendors: KnownVendors
  readonly #report: ImportReport
  readonly #byContent = new Map<string, string>()
  /** The variable in which a key is expected that stands in the file, by that key. */
  readonly #variables = new Map<string, string>()

  constructor(names: LitellmNames, vendors: KnownVendors, report: ImportReport) {
    this.#names = names
    this.#vendors = vendors
    this.#report = report
  }

  /** The provider and the model there; null, and a note, for one that this gateway cannot reach. */
  targetOf(params: JsonObject, path: string): { readonly provider: string; readonly model: string } | null {
    const full = String(params.model ?? '')
    const given = textOf(params.custom_llm_provider)
    const slash = full.indexOf('/')
    const inferred = slash < 0 ? this.#vendors.providerOf(full) : full.slice(0, slash)
    const vendor = given ?? inferred
    const model = full.slice(slash + 1)
    if (full === '*') {
      this.#report.note(`${path}.model`, 'needs no counterpart: clients reach every model as provider/model')
      return null
    }
    if (vendor === null || full === '') {
      this.#report.note(`${path}.model`, 'the provider of this model is not known; write it as provider/model')
      return null
    }
    const named = Object.hasOwn(this.#names.providers, vendor) ? this.#names.providers[vendor] : undefined
    // What is inferred is already the name of a profile.
    const place = named ?? (slash < 0 && given === null ? { profile: vendor } : undefined)
    if (place === undefined) {
      this.#report.note(`${path}.model`, `the provider ${vendor} has no counterpart`)
      return null
    }
    const entry = this.#entryOf(place, { params, model: withoutRoute(model), path })
    return entry === null
      ? null
      : { provider: this.#nameOf(place.profile ?? vendor, entry), model: withoutRoute(model) }
  }

  /** A reference to a variable, for a value of the file; `variable`: where a value that stands there in clear goes. */
  reference(value: JsonValue | undefined, variable: string, path: string): string | null {
    if (typeof value !== 'string' || value === '') return null
    if (value.startsWith(REFERENCE)) return `\${${value.slice(REFERENCE.length)}}`
    const known = this.#variables.get(value)
    if (known !== undefined) return `\${${known}}`
    const taken = new Set(this.#variables.values())
    let free = variable
    for (let number = 2; taken.has(free); number++) free = `${variable}_${number}`
    this.#variables.set(value, free)
    this.#report.note(path, `a secret in the file; set it as ${free} in the environment`)
    return `\${${free}}`
  }

  #entryOf(place: Place, { params, model, path }: Deployment): JsonObject | null {
    const { profile = null, protocol } = place
    const door = this.#names.doors.find((each) => each.profile === profile && new RegExp(each.models).test(model))
    const baseUrl = this.#textOf(params.api_base ?? params.base_url)
    if (profile === null && baseUrl === null) {
      this.#report.note(`${path}.api_base`, 'is required for this provider')
      return null
    }
    const entry: JsonObject = {}
    if (profile !== null) entry.profile = profile
    const wire = door?.protocol ?? protocol
    if (wire !== undefined) entry.protocol = wire
    if (baseUrl !== null) entry.baseUrl = baseUrl
    const address = this.#addressOf(params)
    if (baseUrl === null && Object.keys(address).length > 0) entry.address = address
    const credentials = this.#credentialsOf(place, params, path)
    const variable = (profile === null ? undefined : this.#vendors.keyVariables(profile)[0]) ?? 'PROVIDER_API_KEY'
    const apiKey = this.reference(params.api_key, variable, `${path}.api_key`)
    if (credentials !== null) entry.credentials = credentials
    else if (apiKey !== null) entry.apiKey = apiKey
    else if (profile !== null && this.#vendors.keyVariables(profile).length > 0) entry.apiKey = `\${${variable}}`
    const version = this.#textOf(params.api_version)
    if (version !== null) entry.quirks = { deploymentApiVersion: version }
    const headers = headersOf(params.extra_headers)
    if (headers !== null) {
      entry.headers = headers
      this.#report.note(`${path}.extra_headers`, 'carried over as they are: move secrets among them to the environment')
    }
    return entry
  }

  #addressOf(params: JsonObject): JsonObject {
    const address: JsonObject = {}
    for (const [part, param] of Object.entries(this.#names.address)) {
      const text = this.#textOf(params[param])
      if (text !== null) address[part] = text
    }
    return address
  }

  /** Of a cloud; null where there is none, or a plain key. */
  #credentialsOf(place: Place, params: JsonObject, path: string): JsonObject | null {
    const isMeant = (cloud: CloudNames) => cloud.marks.some((mark) => params[mark] !== undefined)
    const cloud = this.#names.credentials.find((each) => each.kind === place.cloud || isMeant(each))
    if (cloud === undefined || params.api_key !== undefined) return null
    const { kind, members, account } = cloud
    const credentials: JsonObject = { kind }
    for (const [member, { param, variable }] of Object.entries(members)) {
      const secret = this.reference(params[param], variable, `${path}.${param}`)
      if (secret !== null) credentials[member] = secret
    }
    return account === undefined ? credentials : { ...credentials, ...this.#accountOf(account, params, path) }
  }

  #accountOf({ param, variable }: SecretName, params: JsonObject, path: string): JsonObject {
    const value = textOf(params[param])
    if (value !== null && !value.startsWith(REFERENCE) && !value.trimStart().startsWith('{'))
      return { file: plain(value) }
    const json = this.reference(value ?? undefined, variable, `${path}.${param}`)
    return json === null ? {} : { json }
  }

  #textOf(value: JsonValue | undefined): string | null {
    const text = textOf(value)
    if (text === null) return null
    return text.startsWith(REFERENCE) ? `\${${text.slice(REFERENCE.length)}}` : plain(text)
  }

  /** The provider with this content, made if there is none. */
  #nameOf(base: string, entry: JsonObject): string {
    const content = JSON.stringify(entry)
    const known = this.#byContent.get(content)
    if (known !== undefined) return known
    let name = base
    for (let number = 2; Object.hasOwn(this.entries, name); number++) name = `${base}-${number}`
    this.#byContent.set(content, name)
    const { profile, ...rest } = entry
    // With an API of its own named, an entry has a profile only where that is named, too.
    this.entries[name] = profile === name && entry.protocol === undefined ? rest : entry
    return name
  }
}

type Deployment = { readonly params: JsonObject; readonly model: string; readonly path: string }

/** Some names say by which of a vendor's APIs the model is asked: `bedrock/converse/anthropic.claude...`, `responses/gpt-4o`. */
function withoutRoute(model: string): string {
  return model.replace(/^(converse|invoke|responses|chat)\//, '')
}

/** A text of the file that is no reference: `${` has a meaning here. */
export function plain(text: string): string {
  return text.replaceAll('${', () => '$${')
}

function textOf(value: JsonValue | undefined): string | null {
  return typeof value === 'string' && value !== '' ? value : null
}

function headersOf(value: JsonValue | undefined): JsonObject | null {
  if (!isJsonObject(value)) return null
  const headers = Object.entries(value).map(([name, text]) => [name.toLowerCase(), plain(String(text))])
  return headers.length === 0 ? null : Object.fromEntries(headers)
}
