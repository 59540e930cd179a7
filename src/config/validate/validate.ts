// Validates a raw configuration against its schema and fills in the defaults. It knows the parts of JSON Schema that schema.ts
// uses, not the options themselves; TypeBox checks each value. It reports all problems, without the invalid values.
import { type TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { isJsonObject } from '../../model/json.js'
import { nearestName, type Path, type ProblemList } from './problem.js'

/** The members of JSON Schema that schema.ts uses. */
type SchemaNode = {
  readonly type?: string
  readonly properties?: Readonly<Record<string, TSchema & SchemaNode>>
  readonly required?: readonly string[]
  readonly patternProperties?: Readonly<Record<string, TSchema & SchemaNode>>
  readonly items?: TSchema & SchemaNode
  readonly anyOf?: readonly (TSchema & SchemaNode)[]
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly default?: unknown
  readonly description?: string
  readonly pattern?: string
  /** What a value must be, in words, where the pattern would not be understood. */
  readonly expects?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly minItems?: number
}
type Schema = TSchema & SchemaNode

export type ValidateOptions = {
  readonly problems: ProblemList
  /** Whether the string at this path came from a variable, which can only hold text. */
  isText(path: Path): boolean
}

/** Where in the configuration a value stands. */
type Place = { readonly path: Path; readonly options: ValidateOptions }

/** Returns the checked copy of `raw` with defaults. It fits the schema only if no problem was added. */
export function validate(schema: TSchema, raw: unknown, options: ValidateOptions): unknown {
  return check(schema, raw, { path: [], options })
}

function below({ path, options }: Place, key: string | number): Place {
  return { path: [...path, key], options }
}

function addProblem({ path, options }: Place, what: string, nearest: string | null = null): void {
  options.problems.add(path, what, nearest)
}

function check(schema: Schema, raw: unknown, at: Place): unknown {
  if (schema.anyOf !== undefined) return checkUnion(schema, raw, at)
  if (schema.properties !== undefined) return checkObject(schema, raw, at)
  if (schema.patternProperties !== undefined) return checkRecord(schema, raw, at)
  if (schema.items !== undefined) return checkArray(schema, raw, at)
  return checkValue(schema, raw, at)
}

function checkUnion(schema: Schema, raw: unknown, at: Place): unknown {
  const object = schema.anyOf?.find((branch) => branch.properties !== undefined)
  if (object !== undefined && isJsonObject(raw)) return check(object, raw, at)
  return checkValue(schema, raw, at)
}

function checkObject(schema: Schema, raw: unknown, at: Place): unknown {
  // A section whose lines are all comments is null in YAML and sets nothing.
  const given = raw ?? {}
  if (!isJsonObject(given)) return refuse(schema, given, at)
  const properties = schema.properties ?? {}
  for (const key of Object.keys(given)) {
    if (Object.hasOwn(properties, key)) continue
    addProblem(below(at, key), 'unknown option', nearestName(key, Object.keys(properties)))
  }
  const result: Record<string, unknown> = {}
  for (const [key, property] of Object.entries(properties)) {
    const place = below(at, key)
    if (Object.hasOwn(given, key)) result[key] = check(property, given[key], place)
    else if (property.default !== undefined) result[key] = structuredClone(property.default)
    else if (property.properties !== undefined) result[key] = check(property, {}, place)
    else if (schema.required?.includes(key) === true) addProblem(place, 'is required')
  }
  return result
}

function checkRecord(schema: Schema, raw: unknown, at: Place): unknown {
  const given = raw ?? {}
  if (!isJsonObject(given)) return refuse(schema, given, at)
  const [pattern, member] = Object.entries(schema.patternProperties ?? {})[0] ?? []
  const result: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(given)) {
    const place = below(at, key)
    if (pattern !== undefined && !new RegExp(pattern).test(key)) addProblem(place, `must be a name matching ${pattern}`)
    else if (member !== undefined) result[key] = check(member, value, place)
  }
  return result
}

function checkArray(schema: Schema, raw: unknown, at: Place): unknown {
  const given = raw === null ? [] : raw
  const items = schema.items
  if (!Array.isArray(given) || items === undefined || given.length < (schema.minItems ?? 0)) {
    return refuse(schema, given, at)
  }
  return given.map((item, index) => check(items, item, below(at, index)))
}

function checkValue(schema: Schema, raw: unknown, at: Place): unknown {
  if (Value.Check(schema, raw) && isPlain(raw)) return raw
  if (typeof raw === 'string' && at.options.isText(at.path)) {
    const read = readText(raw)
    if (Value.Check(schema, read)) return read
  }
  return refuse(schema, raw, at)
}

function refuse(schema: Schema, raw: unknown, at: Place): unknown {
  addProblem(at, `must be ${describe(schema)}, not ${nameOf(raw)}`, suggestionFor(schema, raw))
  return raw
}

/** Text from a variable as the number, boolean or null it spells. */
function readText(text: string): unknown {
  const trimmed = text.trim()
  if (/^-?\d+(\.\d+)?$/.test(trimmed)) return Number(trimmed)
  if (/^(true|false)$/i.test(trimmed)) return trimmed.toLowerCase() === 'true'
  return trimmed === 'null' ? null : trimmed
}

/** Unknown members (extraBody) must still be JSON: YAML also has NaN, infinities and binary. */
function isPlain(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value)
  if (Array.isArray(value)) return value.every(isPlain)
  if (isJsonObject(value)) return isBareObject(value) && Object.values(value).every(isPlain)
  return value === null || typeof value === 'string' || typeof value === 'boolean'
}

function isBareObject(value: object): boolean {
  return Object.getPrototypeOf(value) === Object.prototype
}

function describe(schema: Schema): string {
  if (schema.expects !== undefined) return schema.expects
  if (schema.anyOf !== undefined) return schema.anyOf.map(describe).join(' or ')
  if (schema.enum !== undefined) return `one of ${schema.enum.join(', ')}`
  if (schema.const !== undefined) return String(schema.const)
  if (schema.type === undefined) return 'a JSON value'
  if (schema.type === 'integer' || schema.type === 'number') return `${article(schema.type)}${range(schema)}`
  if (schema.type === 'string') return `a string${shape(schema)}`
  if (schema.type === 'array') return schema.minItems === undefined ? 'a list' : `a list of at least ${schema.minItems}`
  return schema.type === 'null' ? 'null' : article(schema.type)
}

function article(noun: string): string {
  return /^[aeiou]/.test(noun) ? `an ${noun}` : `a ${noun}`
}

function range(schema: Schema): string {
  return schema.minimum === undefined || schema.maximum === undefined
    ? ''
    : ` from ${schema.minimum} to ${schema.maximum}`
}

function shape(schema: Schema): string {
  if (schema.pattern !== undefined) return ` matching ${schema.pattern}`
  if (schema.maxLength !== undefined) return ` of ${schema.minLength ?? 0} to ${schema.maxLength} characters`
  return schema.minLength === undefined
    ? ''
    : ` of at least ${schema.minLength} character${schema.minLength === 1 ? '' : 's'}`
}

function nameOf(raw: unknown): string {
  if (raw === null || raw === undefined) return 'empty'
  if (Array.isArray(raw)) return raw.length === 0 ? 'an empty list' : 'a list'
  if (typeof raw === 'string') return raw === '' ? 'an empty string' : 'that string'
  return typeof raw === 'object' ? 'an object' : `that ${typeof raw}`
}

/** The nearest member of an enumeration. Enumerations contain no secrets; the written value is not shown. */
function suggestionFor(schema: Schema, raw: unknown): string | null {
  if (schema.enum === undefined || typeof raw !== 'string') return null
  return nearestName(raw, schema.enum.map(String))
}
