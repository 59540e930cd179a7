// Nothing that a client sends to a target of another protocol vanishes in silence: each field changes what leaves for the
// target, or is named as dropped, or is refused by its path. A field that does none of the three needs a reason here.
import { test } from 'tap'
import { isJsonObject, type JsonObject, type JsonValue } from '../../src/model/json.js'
import { type Dialect, type Surface } from '../../src/protocols/contract/protocol.js'
import { DIALECTS, SURFACES, sendRequest } from '../helpers/matrix.js'
import { PROBES, type Probe, WHOLE } from '../helpers/silence-probes.js'

/** `path` or `path > dialect`: what may pass without a trace, and why. */
const SILENT: Readonly<Record<string, string>> = {
  include: 'every answer has the encrypted reasoning that there is; other values are named',
  metadata: 'a label, which the answer repeats',
  store: 'nothing is stored anywhere, and the answer says so',
  background: 'the gateway runs the request itself, as a stream of its own',
  previous_response_id: 'the gateway puts the earlier turns before the input, ahead of any translation',
  'stream_options.include_obfuscation': 'padding, which this gateway never adds',
  'messages.1.content.0 > openai-chat': 'thinking of earlier turns is named in any case',
  'messages.1.content.0 > openai-responses': 'thinking of earlier turns is named in any case',
  'messages.1.content.0.thinking > openai-responses': 'thinking of earlier turns is named in any case',
  'input.1.summary.0.text > openai-chat': 'thinking of earlier turns is named in any case',
  'input.1.encrypted_content > openai-chat': 'thinking of earlier turns is named in any case',
  'messages.2.thinking > openai-chat': 'thinking of earlier turns is named in any case',
  'messages.2.thinking > openai-responses': 'thinking of earlier turns is named in any case',
  'messages.2.thinking > anthropic-messages': 'thinking without a signature is named in any case',
  'contents.1.parts.0.text > openai-chat': 'thinking of earlier turns is named in any case',
  'contents.1.parts.0.text > openai-responses': 'thinking of earlier turns is named in any case',
  'contents.1.parts.0.thoughtSignature > openai-chat': 'thinking of earlier turns is named in any case',
  'contents.1.parts.0.thoughtSignature > openai-responses': 'thinking of earlier turns is named in any case',
  'messages.1.content.0.thinking > openai-chat': 'thinking of earlier turns is named in any case',
}

/** The request with the member set, or left out where `value` is undefined; objects and lists on the way are those of `body`, copied. */
function withMember(body: JsonObject, path: string, value: JsonValue | undefined): JsonObject {
  const copy = structuredClone(body)
  const steps = path.split('.')
  const last = steps.pop() ?? ''
  let at: JsonValue = copy
  for (const step of steps) {
    const next: JsonValue | undefined = Array.isArray(at) ? at[Number(step)] : isJsonObject(at) ? at[step] : undefined
    if (next === undefined || next === null) throw new Error(`${path}: no ${step}`)
    at = next
  }
  if (Array.isArray(at)) at.splice(Number(last), 1, ...(value === undefined ? [] : [value]))
  else if (isJsonObject(at) && value === undefined) delete at[last]
  else if (isJsonObject(at)) at[last] = value ?? null
  else throw new Error(`${path}: no place for ${last}`)
  return copy
}

/** The probes that leave no trace, and those that are refused without a path. */
function findSilent(surface: Surface, dialect: Dialect, { whole, probes }: Case): string[] {
  const plain = sendRequest(surface, dialect, whole)
  if ('refused' in plain) throw new Error(plain.refused.message)
  return probes.flatMap(([path, value]) => {
    const sent = sendRequest(surface, dialect, withMember(whole, path, value))
    const name = `${path} = ${JSON.stringify(value)}`
    if ('refused' in sent) return sent.refused.param === null ? [`${name} is refused without a path`] : []
    // A value that takes another's place must leave a trace of its own: that the other one is gone is none.
    const without = sendRequest(surface, dialect, withMember(whole, path, undefined))
    const bases = 'refused' in without ? [plain] : [plain, without]
    const isNamed = bases.every(({ dropped }) => sent.dropped.some((field) => !dropped.includes(field)))
    const isCarried = bases.every(
      (base) => sent.path !== base.path || JSON.stringify(sent.body) !== JSON.stringify(base.body),
    )
    const isExcused = path in SILENT || `${path} > ${dialect.id}` in SILENT
    return isNamed || isCarried || isExcused ? [] : [name]
  })
}

type Case = { readonly whole: JsonObject; readonly probes: readonly Probe[] }

/** A member that holds many parameters. */
const MANY = 8

/** The members of a body; of one that holds many parameters, those. */
function fieldsOf(schema: unknown): string[] {
  const properties = isJsonObject(schema) && isJsonObject(schema.properties) ? schema.properties : {}
  return Object.entries(properties).flatMap(([name, inner]) => {
    const own = isJsonObject(inner) && isJsonObject(inner.properties) ? Object.keys(inner.properties) : []
    return own.length < MANY ? [name] : own.map((member) => `${name}.${member}`)
  })
}

for (const surface of SURFACES) {
  const whole = WHOLE[surface.id] ?? {}
  const probes = PROBES[surface.id] ?? []
  test(`${surface.id}: every field of its schema is probed`, async (t) => {
    const body = surface.describe?.().body
    const fields = fieldsOf(body)
    t.ok(fields.length > 10)
    const paths = [...probes.map(([path]) => path), ...Object.keys(whole)]
    const probed = new Set(
      paths.flatMap((path) => path.split('.').map((_, i, steps) => steps.slice(0, i + 1).join('.'))),
    )
    t.strictSame(
      fields.filter((field) => !probed.has(field)),
      [],
    )
  })
  for (const dialect of DIALECTS) {
    if (dialect.id === surface.id) continue
    test(`${surface.id} to ${dialect.id}: each field is carried, named as dropped, or refused`, async (t) => {
      t.strictSame(findSilent(surface, dialect, { whole, probes }), [])
    })
  }
}

test('the law finds what a dialect leaves out', async (t) => {
  const [surface] = SURFACES
  const dialect = DIALECTS.find(({ id }) => id === 'ollama-chat')
  if (surface === undefined || dialect === undefined) throw new Error('no surface or dialect')
  const deaf: Dialect = { ...dialect, encodeRequest: () => ({ body: {}, dropped: [] }) }
  const probes: Probe[] = [['seed', 7]]
  const whole = WHOLE[surface.id] ?? {}
  t.strictSame(findSilent(surface, deaf, { whole, probes }), ['seed = 7'])
  t.strictSame(findSilent(surface, dialect, { whole, probes }), [])
})

test('the law finds a value that vanishes together with the one whose place it took', async (t) => {
  const surface = SURFACES.find(({ id }) => id === 'openai-chat')
  const dialect = DIALECTS.find(({ id }) => id === 'ollama-chat')
  if (surface === undefined || dialect === undefined) throw new Error('no surface or dialect')
  const deaf: Surface = {
    ...surface,
    decodeRequest: (body, prompt) => ({ ...surface.decodeRequest(body, prompt), extensions: {} }),
  }
  const probes: Probe[] = [['response_format', { type: 'grammar', grammar: 'x' }]]
  const whole = WHOLE[surface.id] ?? {}
  t.strictSame(findSilent(deaf, dialect, { whole, probes }), ['response_format = {"type":"grammar","grammar":"x"}'])
  t.strictSame(findSilent(surface, dialect, { whole, probes }), [])
})
