// The document of the API at a running gateway: served without a key, valid, and each of its examples works when it is sent.
import { Validator } from '@seriousme/openapi-schema-validator'
import { type Test, test } from 'tap'
import { request } from 'undici'
import { type JsonObject } from '../../src/model/json.js'
import { startGateway } from '../helpers/gateway.js'

type Operation = {
  readonly requestBody?: {
    readonly content: Record<string, { readonly examples: Record<string, { value: JsonObject }> }>
  }
  readonly responses: Record<string, { readonly content?: Record<string, unknown> }>
  readonly security: readonly object[]
}
type Document = {
  readonly paths: Record<string, Record<string, Operation>>
  readonly components: { readonly headers: JsonObject }
}

const KEY = 'test-key-0123456789abcdef'
/** Whoever asks for a provider or model by name gets the simulator's here. */
const HERE: Readonly<Record<string, string>> = { model: 'sim/echo', model_name: 'sim/echo' }

const RAW = {
  provider: 'sim',
  path: '/chat/completions',
  body: { model: 'echo', messages: [{ role: 'user', content: 'Hi' }] },
}

/** A key of the caller's own, of which the simulator takes any. */
const OWN = { 'x-api-key': 'own-key', 'x-sluice-provider': 'sim' }

/** The id of a file at the simulator. */
async function upload(origin: string): Promise<string> {
  const body = new FormData()
  body.append('purpose', 'batch')
  body.append('file', new Blob(['{}']), 'a.jsonl')
  const headers = { authorization: `Bearer ${KEY}`, ...OWN }
  const answer = await fetch(`${origin}/v1/files`, { method: 'POST', headers, body })
  return ((await answer.json()) as { id: string }).id
}

function localised(example: JsonObject): string {
  if (example.path !== undefined) return JSON.stringify(RAW)
  const { provider: _, ...body } = example
  const named = Object.entries(body).map(([member, value]) => [member, HERE[member] ?? value])
  return JSON.stringify(Object.fromEntries(named))
}

test('the document is served to everybody and valid, and its examples are answered as it says', async (t) => {
  const gateway = await startGateway(t, { args: ['--port', '0'], env: { API_KEY: KEY } })
  const answer = await request(`${gateway.origin}/openapi.json`)
  t.equal(answer.statusCode, 200)
  const document = (await answer.body.json()) as Document
  const { valid, errors } = await new Validator().validate(structuredClone(document))
  t.ok(valid, JSON.stringify(errors))
  t.match(document, { info: { version: /^\d+\.\d+\.\d+/ } })
  const known = Object.keys(document.components.headers)
  let sent = 0
  const uploaded = await upload(gateway.origin)
  for (const [path, { get, post }] of Object.entries(document.paths)) {
    const needsOwnKey = JSON.stringify((get ?? post)?.security).includes('callerKey') && !path.includes('{provider}')
    const named = path.replace(/\{(?:id|model)\}/, needsOwnKey ? uploaded : 'sim/echo').replace('{provider}', 'sim')
    const url = gateway.origin + named
    const usual = { 'content-type': 'application/json', authorization: `Bearer ${KEY}` }
    const headers = needsOwnKey ? { ...usual, ...OWN } : usual
    const read = get === undefined ? null : await request(url, { headers })
    if (read !== null) {
      t.ok(Object.hasOwn(get?.responses ?? {}, read.statusCode), `GET ${path}: ${read.statusCode}`)
      await read.body.dump()
    }
    const examples = post?.requestBody?.content['application/json']?.examples ?? {}
    for (const [name, { value }] of Object.entries(examples)) {
      sent += 1
      const body = localised(value).replace('file-abc123', uploaded)
      const chat = await request(url, { method: 'POST', headers, body })
      t.equal(chat.statusCode, 200, `POST ${path}: ${name}`)
      const types = Object.keys(post?.responses['200']?.content ?? {})
      t.ok(types.includes(String(chat.headers['content-type']).split(';')[0] ?? ''), `${name}: ${types}`)
      for (const header of Object.keys(chat.headers))
        t.ok(!/^(x-sluice|x-ratelimit|x-request|retry)/.test(header) || known.includes(header), header)
      await chat.body.dump()
    }
  }
  t.ok(sent >= 20, `${sent} examples`)
  await checkRefusals(t, gateway.origin, document)
})

/** Each operation asks for a key exactly where the document says so. */
async function checkRefusals(t: Test, origin: string, { paths }: Document): Promise<void> {
  for (const [path, item] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(item)) {
      const needsKey = JSON.stringify(operation.security) !== '[{}]'
      const url = origin + path.replace(/\{(?:id|model)\}/, 'x').replace('{provider}', 'sim')
      const headers = { 'content-type': 'application/json' }
      const post = { method: 'POST' as const, headers, body: '{}' }
      const answer = await request(url, method === 'post' ? post : {})
      await answer.body.dump()
      // A WebSocket's key is looked at in the upgrade.
      if (!('101' in operation.responses))
        t.equal(answer.statusCode === 401, needsKey, `${method} ${path}: ${answer.statusCode}`)
    }
  }
}
