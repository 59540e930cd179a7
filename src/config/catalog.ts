// Vendors as data: the profiles of resources/providers, the defaults of each wire API and the catalogue of model names.
// Checked here once, so that a wrong profile fails a test and not a request. Knows no vendor; reads no file (read.ts does).
import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { type Quirks } from '../model/target.js'
import { NAME_PATTERN } from './schema/parts.js'
import { EndpointName } from './schema/provider.js'
import { QuirkOverrides } from './schema/quirks.js'
import { type AuthScheme } from './types.js'
import { refusal } from './validate/problem.js'

const VARIABLE_PATTERN = '^[A-Z][A-Z0-9_]*$'
const URL_PATTERN = '^https?://[^\\s]+$'
const SEGMENT_PATTERN = '^(/[A-Za-z0-9._~-]+)*$'

const Auth = Type.Union([
  Type.Object({ kind: Type.Literal('bearer') }, { additionalProperties: false }),
  Type.Object(
    { kind: Type.Literal('header'), name: Type.String({ pattern: '^[a-z0-9-]+$' }) },
    { additionalProperties: false },
  ),
])
const Variables = Type.Array(Type.String({ pattern: VARIABLE_PATTERN }))
const Notes = Type.Array(Type.String({ minLength: 1 }))
const HeaderMap = Type.Record(Type.String({ pattern: '^[a-z0-9-]+$' }), Type.String())

const ProtocolDefaults = Type.Object(
  {
    versionSegment: Type.String({ pattern: SEGMENT_PATTERN }),
    /** The vendor's client libraries expect a base URL that includes the version. */
    clientsGiveVersion: Type.Boolean(),
    auth: Auth,
    quirks: Type.Required(QuirkOverrides),
    notes: Notes,
  },
  { additionalProperties: false },
)

/** What a customer's address consists of; the same names as in `address` of a provider entry. */
const AddressPart = Type.String({ pattern: '^(?:resource|region|project|location|account)$' })

/** Another wire of the same vendor: what differs from the profile. Quirks are those of the wire alone. */
const Door = Type.Object(
  {
    baseUrl: Type.Optional(Type.String({ pattern: URL_PATTERN })),
    versionSegment: Type.Optional(Type.String({ pattern: SEGMENT_PATTERN })),
    auth: Type.Optional(Auth),
    quirks: Type.Optional(QuirkOverrides),
  },
  { additionalProperties: false },
)

/** What an entry's `credentials` need not say: defaults, and the variables that set an option; the first that is set counts. */
const CredentialDefaults = Type.Object(
  {
    kind: Type.String({ pattern: '^(?:aws|gcp|entra)$' }),
    defaults: Type.Optional(Type.Record(Type.String({ pattern: '^[A-Za-z]+$' }), Type.String({ minLength: 1 }))),
    variables: Type.Optional(Type.Record(Type.String({ pattern: '^[A-Za-z]+$' }), Variables)),
  },
  { additionalProperties: false },
)

const VendorProfile = Type.Object(
  {
    name: Type.String({ pattern: NAME_PATTERN }),
    title: Type.String({ minLength: 1 }),
    protocol: Type.String({ minLength: 1 }),
    /** Null if every customer has a different URL. `{region}` and the like stand for parts of `address`, `{host}` for one of `hosts`. */
    baseUrl: Type.Union([Type.String({ pattern: URL_PATTERN }), Type.Null()]),
    /** The parts that the base URLs contain, with the environment variables that set them; the first that is set counts. */
    address: Type.Optional(Type.Record(AddressPart, Variables)),
    /** The host by the value of one part; `*` for all other values. */
    hosts: Type.Optional(
      Type.Object(
        { by: AddressPart, names: Type.Record(Type.String({ minLength: 1 }), Type.String({ minLength: 1 })) },
        { additionalProperties: false },
      ),
    ),
    /** Further wires, by protocol, for entries that name one. */
    doors: Type.Optional(Type.Record(Type.String({ minLength: 1 }), Door)),
    /** Where the vendor differs from the protocol's default. */
    versionSegment: Type.Optional(Type.String({ pattern: SEGMENT_PATTERN })),
    auth: Auth,
    credentials: Type.Optional(CredentialDefaults),
    /** Environment variables that hold the key; the first that is set counts. */
    keyVariables: Variables,
    baseUrlVariables: Variables,
    /** Environment variable -> request header that it sets. */
    headerVariables: Type.Optional(
      Type.Record(Type.String({ pattern: VARIABLE_PATTERN }), Type.String({ pattern: '^[a-z0-9-]+$' })),
    ),
    /** Usable without a key. */
    keyless: Type.Optional(Type.Boolean()),
    modelPatterns: Type.Optional(Type.Array(Type.String({ minLength: 1 }))),
    /** What it offers besides chats; without it, everything that its protocol has. */
    endpoints: Type.Optional(Type.Array(EndpointName)),
    quirks: Type.Optional(QuirkOverrides),
    headers: Type.Optional(HeaderMap),
    discover: Type.Optional(
      Type.Object(
        {
          url: Type.String({ pattern: '^http://127\\.0\\.0\\.1:[0-9]+$' }),
          path: Type.String({ pattern: '^/' }),
          /** Owner that its models must have; without it any list of models is accepted. */
          ownedBy: Type.Optional(Type.String({ minLength: 1 })),
        },
        { additionalProperties: false },
      ),
    ),
    /** The name of the vendor in the price list. */
    prices: Type.Optional(Type.String({ pattern: NAME_PATTERN })),
    /** The name of the vendor in OpenTelemetry's conventions (gen_ai.provider.name), if it is another one. */
    spanName: Type.Optional(Type.String({ pattern: '^[a-z0-9_.]+$' })),
    docs: Type.Union([Type.String({ pattern: URL_PATTERN }), Type.Null()]),
    notes: Notes,
  },
  { additionalProperties: false },
)

const ModelNames = Type.Record(Type.String({ pattern: NAME_PATTERN }), Type.Array(Type.String({ minLength: 1 })))
const ThinkingNames = Type.Record(Type.String({ pattern: '^[a-z0-9][a-z0-9.:-]*$' }), Type.Boolean())
const ProtocolMap = Type.Record(Type.String({ pattern: '^[a-z][a-z0-9-]*$' }), ProtocolDefaults)

/** A vendor: its URL, its wire API and its quirks. */
export type VendorProfile = Static<typeof VendorProfile>
/** Defaults for every server of one wire API; its profile or entry overrides them. */
export type ProtocolDefaults = {
  readonly versionSegment: string
  readonly clientsGiveVersion: boolean
  readonly auth: AuthScheme
  readonly quirks: Quirks
}

export type Catalog = {
  /** In the order in which patterns are tried. */
  readonly profiles: readonly VendorProfile[]
  readonly protocols: Readonly<Record<string, ProtocolDefaults>>
  /** Profile name -> well-known model names. */
  readonly models: Readonly<Record<string, readonly string[]>>
  /** Prefixes of model names -> whether such a model thinks; the longest match applies. */
  readonly thinking: Readonly<Record<string, boolean>>
}

/** The parsed resource files; `profiles` with the file name each came from. */
export type RawCatalog = {
  readonly profiles: readonly { readonly file: string; readonly value: unknown }[]
  readonly protocols: unknown
  readonly models: unknown
  readonly thinking: unknown
}

/** @throws misconfigured naming the resource file that is wrong */
export function makeCatalog(raw: RawCatalog): Catalog {
  const protocols = fit(Compile(ProtocolMap), raw.protocols, 'protocols.json')
  // For thirty files at each start: interpreting the schema for each takes longer than compiling it once.
  const ofVendor = Compile(VendorProfile)
  const profiles = raw.profiles.map(({ file, value }) => {
    const profile = fit(ofVendor, value, file)
    if (file !== `${profile.name}.json`) throw refusal(`${file}: the file is named after the profile`)
    for (const protocol of [profile.protocol, ...Object.keys(profile.doors ?? {})]) {
      if (!Object.hasOwn(protocols, protocol)) throw refusal(`${file}: protocol is not in protocols.json`)
    }
    return profile
  })
  const models = fit(Compile(ModelNames), raw.models, 'models.json')
  const thinking = fit(Compile(ThinkingNames), raw.thinking, 'thinking.json')
  return { profiles: profiles.sort((a, b) => (a.name < b.name ? -1 : 1)), protocols, models, thinking }
}

/** What of a compiled schema is needed here. */
type Form<T> = {
  Check(value: unknown): value is T
  Errors(value: unknown): readonly { keyword: string; instancePath: string; message: string }[]
}

function fit<T>(form: Form<T>, value: unknown, file: string): T {
  if (form.Check(value)) return value
  const first = form.Errors(value)[0]
  // Members outside the schema get a schema that nothing matches.
  const reason = first?.keyword === 'boolean' ? 'is not a known member' : first?.message
  throw refusal(`${file}: ${first?.instancePath ?? ''} ${reason ?? 'does not fit'}`)
}
