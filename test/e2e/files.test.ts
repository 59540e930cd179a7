// The official OpenAI client's files and batches against a running gateway, with the client's own key for the provider: what passes, what
// is refused, and that neither the operator's key goes there nor the client's own key goes anywhere else.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo } from 'node:net'
import OpenAI, { toFile } from 'openai'
import { t as tap, test } from 'tap'
import { startGateway } from '../helpers/gateway.js'
import { rejectsWith } from '../helpers/rejects.js'

const KEY = 'test-key-0123456789abcdef'
const LIMITED_KEY = 'test-key-limited-012345'
const RARE_KEY = 'test-key-rare-012345678'
const OWN_KEY = 'canary-own-key-0123456789'
const OPERATOR_KEY = 'operator-key-0123456789'
/** A batch's results, some of which are errors, and bytes that are no text. */
const CONTENT = Buffer.concat([
  Buffer.from('{"custom_id":"a","error":{"message":"no","code":"x"}}\n{"error":{}}\n'),
  Buffer.from(Array.from({ length: 200_000 }, (_, i) => (i * 31) % 251)),
])

type Seen = {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}
type Answer = (response: ServerResponse, seen: Seen) => void

const seen: Seen[] = []
const FILE = {
  id: 'file-1',
  object: 'file',
  bytes: 3,
  created_at: 1,
  filename: 'a.jsonl',
  purpose: 'batch',
  status: 'processed',
}
const BATCH = { id: 'batch_1', object: 'batch', endpoint: '/v1/chat/completions', status: 'validating' }

/** A page, and whether there is another. */
function page(item: object, hasMore = false): Answer {
  return json(200, { object: 'list', data: [item], has_more: hasMore })
}

function json(status: number, body: object): Answer {
  return (response) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

const openDownloads: Promise<unknown>[] = []
const ANSWERS: Readonly<Record<string, Answer>> = {
  'POST /v1/files': json(200, FILE),
  'GET /v1/files?limit=1': page(FILE, true),
  'GET /v1/files?limit=1&after=file-1': page({ ...FILE, id: 'file-2' }),
  'GET /v1/files/file-1': json(200, FILE),
  'DELETE /v1/files/file-1': json(200, { id: 'file-1', object: 'file', deleted: true }),
  // As lines of JSON, of which some look like the errors of a stream.
  'GET /v1/files/file-1/content': (response) => {
    response.writeHead(200, { 'content-type': 'application/jsonl', 'content-length': CONTENT.length }).end(CONTENT)
  },
  'GET /v1/files/large/content': (response) => {
    openDownloads.push(once(response, 'close'))
    response.writeHead(200, { 'content-type': 'application/octet-stream' }).write(CONTENT)
  },
  'GET /v1/files/cut/content': (response) => {
    response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': CONTENT.length * 2 })
    response.write(CONTENT, () => setImmediate(() => response.destroy()))
  },
  'GET /v1/files/quoted': (response, { headers }) => {
    json(401, { error: { message: `Incorrect API key provided: ${headers.authorization}`, code: 'invalid_api_key' } })(
      response,
      seen[0] as Seen,
    )
  },
  'POST /v1/batches': json(200, BATCH),
  'GET /v1/batches': page(BATCH),
  'GET /v1/batches/batch_1': json(200, BATCH),
  'POST /v1/batches/batch_1/cancel': json(200, { ...BATCH, status: 'cancelling' }),
  'POST /v1/batches/busy/cancel': json(503, { error: { message: 'Try again.' } }),
}

const upstream = createServer(async (request, response) => {
  const body: Buffer[] = []
  for await (const chunk of request) body.push(chunk)
  const { method = '', url = '', headers } = request
  const asked = { method, url, headers, body: Buffer.concat(body) }
  seen.push(asked)
  const answer =
    ANSWERS[`${method} ${url}`] ?? json(404, { error: { message: `No such thing: ${url}`, code: 'missing' } })
  answer(response, asked)
})
upstream.listen(0, '127.0.0.1')
await once(upstream, 'listening')
tap.teardown(() => {
  upstream.closeAllConnections()
  upstream.close()
})
const baseUrl = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}/v1`

const gateway = await startGateway(tap, {
  config: {
    keys: [
      { name: 'team', key: KEY, limits: { requestsPerMinute: 1000 } },
      { name: 'limited', key: LIMITED_KEY, models: ['small'] },
      { name: 'rare', key: RARE_KEY, limits: { requestsPerMinute: 2 } },
    ],
    server: { maxBodyBytes: 1_000_000 },
    log: { level: 'trace' },
    providers: {
      openai: { profile: 'openai', baseUrl, apiKey: OPERATOR_KEY, endpoints: ['files', 'batches'] },
      // At an address that is not the vendor's a proxy may add the operator's key.
      proxied: { profile: 'openai', baseUrl },
      plain: { protocol: 'openai-chat', baseUrl, apiKey: OPERATOR_KEY, endpoints: ['embeddings'] },
    },
    models: { small: { targets: ['plain/small'] } },
  },
})

type Own = { readonly provider?: string | null; readonly own?: string | null; readonly key?: string }

function clientOf({ provider = 'openai', own = OWN_KEY, key = KEY }: Own = {}): OpenAI {
  const defaultHeaders = { 'x-sluice-provider': provider, 'x-api-key': own }
  return new OpenAI({ apiKey: key, baseURL: `${gateway.origin}/v1`, maxRetries: 0, defaultHeaders })
}

const client = clientOf()

test('files are uploaded, listed in pages, shown, downloaded to the byte and deleted with the key of their owner', async (t) => {
  seen.length = 0
  const file = await toFile(CONTENT, 'a.jsonl')
  t.match(await client.files.create({ file, purpose: 'batch' }, { headers: { 'x-request-id': 'upload-1' } }), FILE)
  const [upload] = seen
  t.match(upload?.headers['content-type'], /^multipart\/form-data; boundary=/)
  t.ok(upload?.body.includes(CONTENT), 'every byte of it')
  t.match(await gateway.exchange('upload-1'), {
    ...{ surface: 'openai-files', key: 'team', target: 'openai', status: 200, outcome: 'complete' },
    ...{ attempts: 1, method: 'POST', path: '/v1/files' },
  })
  const ids: string[] = []
  for await (const { id } of client.files.list({ limit: 1 })) ids.push(id)
  t.same(ids, ['file-1', 'file-2'])
  t.match(await client.files.retrieve('file-1'), FILE)
  const content = await client.files.content('file-1', { headers: { 'x-request-id': 'content-1' } })
  t.equal(content.headers.get('content-type'), 'application/jsonl')
  t.equal(content.headers.get('x-sluice-target'), 'openai')
  t.ok(Buffer.from(await content.arrayBuffer()).equals(CONTENT))
  t.match(await gateway.exchange('content-1'), { outcome: 'complete', transport: 'bytes', tokens: { in: 0, out: 0 } })
  t.match(await client.files.delete('file-1'), { deleted: true })
  for (const { headers, method, url } of seen) {
    t.equal(headers.authorization, `Bearer ${OWN_KEY}`, `${method} ${url}`)
    t.notOk('x-api-key' in headers || 'x-sluice-provider' in headers)
    t.equal('content-type' in headers, method === 'POST', 'no type without a body')
  }
})

test('batches are created, listed, shown and cancelled, and nothing of their bodies is changed', async (t) => {
  seen.length = 0
  const asked = { input_file_id: 'file-1', endpoint: '/v1/chat/completions', completion_window: '24h' } as const
  t.match(await client.batches.create(asked), BATCH)
  t.same(JSON.parse(String(seen[0]?.body)), asked)
  t.match((await client.batches.list()).data, [BATCH])
  t.match(await client.batches.retrieve('batch_1'), BATCH)
  t.match(await client.batches.cancel('batch_1'), { status: 'cancelling' })
  t.equal(seen.at(-1)?.headers['content-length'], '0')
  t.same(new Set(seen.map(({ headers }) => headers.authorization)), new Set([`Bearer ${OWN_KEY}`]))
})

test('without a key of its own no client reaches an account, whatever else it sends', async (t) => {
  seen.length = 0
  for (const own of [null, KEY]) {
    const mine = clientOf({ own })
    const refused = {
      status: 403,
      message: /Send your own key for the provider as X-API-Key, its name as x-sluice-provider/,
    }
    await rejectsWith(t, mine.files.list(), refused)
    await rejectsWith(t, mine.files.content('file-1'), refused)
    await rejectsWith(t, mine.files.delete('file-1'), refused)
    await rejectsWith(t, mine.files.create({ file: await toFile(CONTENT, 'a'), purpose: 'batch' }), refused)
    await rejectsWith(t, mine.batches.cancel('batch_1'), refused)
  }
  await rejectsWith(t, clientOf({ key: 'unknown' }).files.list(), { status: 401 })
  await rejectsWith(t, clientOf({ key: LIMITED_KEY }).batches.list(), {
    status: 403,
    message: /restricted to certain models/,
  })
  t.same(seen, [])
})

test('the provider must be named and have files, and a refusal names those that do', async (t) => {
  seen.length = 0
  const having = /openai, .*groq/
  for (const provider of [null, 'plain', 'proxied', 'nobody']) {
    const mine = clientOf({ provider })
    await rejectsWith(t, mine.files.list(), { status: 400, param: 'x-sluice-provider', message: having })
    await rejectsWith(t, mine.batches.list(), { status: 400, message: having })
  }
  await rejectsWith(t, clientOf({ provider: 'plain' }).files.list(), {
    message: /^400 plain does not offer \/v1\/files\./,
  })
  t.same(seen, [])
})

test('what cannot be a file, an id or a query is refused before anything is sent', async (t) => {
  seen.length = 0
  const large = await toFile(Buffer.alloc(1_000_001), 'large')
  await rejectsWith(t, client.files.create({ file: large, purpose: 'batch' }), { status: 413 })
  await rejectsWith(t, client.post('/files', { body: { purpose: 'batch' } }), {
    status: 415,
    message: /multipart\/form-data/,
  })
  for (const path of ['/files/..%2Fmodels', '/files/a%20b', '/files/.x']) {
    await rejectsWith(t, client.get(path), { status: 400 })
  }
  const head = await fetch(`${gateway.origin}/v1/files/file-1/content`, {
    method: 'HEAD',
    headers: { authorization: `Bearer ${KEY}`, 'x-api-key': OWN_KEY, 'x-sluice-provider': 'openai' },
  })
  t.equal(head.status, 405)
  t.same(seen, [])
})

test('the refusals of the provider pass with their status, and a request is sent once', async (t) => {
  seen.length = 0
  await rejectsWith(t, client.files.retrieve('other'), { status: 404, code: 'missing' })
  await rejectsWith(t, client.batches.cancel('busy'), { status: 503 })
  t.equal(seen.length, 2)
})

test('a request of any method counts as one, and what exceeds the limit of the key is not sent', async (t) => {
  seen.length = 0
  const rare = clientOf({ key: RARE_KEY })
  await rare.files.retrieve('file-1')
  await rare.batches.cancel('batch_1')
  const refused = { status: 429, code: 'rate_limit_exceeded' }
  await rejectsWith(t, rare.files.delete('file-1'), refused)
  await rejectsWith(t, rare.batches.list(), refused)
  t.equal(seen.length, 2)
})

test('a download that is cut is never whole, and one that is left stops its provider', async (t) => {
  const cut = await client.files.content('cut', { headers: { 'x-request-id': 'cut-1' } })
  await t.rejects(cut.arrayBuffer())
  t.match(await gateway.exchange('cut-1'), { outcome: 'upstream_cut', transport: 'bytes' })
  const abort = new AbortController()
  const left = await client.files.content('large', { signal: abort.signal, headers: { 'x-request-id': 'left-1' } })
  await left.body?.getReader().read()
  abort.abort()
  t.match(await gateway.exchange('left-1'), { outcome: 'client_gone' })
  await Promise.all(openDownloads)
})

test('the key of a client is in no answer, no line of the log and no metric', async (t) => {
  const refused = await fetch(`${gateway.origin}/v1/files/quoted`, {
    headers: {
      authorization: `Bearer ${KEY}`,
      'x-api-key': OWN_KEY,
      'x-sluice-provider': 'openai',
      'x-request-id': 'quoted-1',
    },
  })
  t.equal(refused.status, 401)
  t.notMatch(await refused.text(), /canary/)
  await gateway.exchange('quoted-1')
  const line =
    /sluice_requests_total\{surface="openai-files",model="other",provider="openai",outcome="complete",status="200"\} \d/
  const page = await gateway.metricsWith([line], { authorization: `Bearer ${KEY}` })
  t.match(page, line)
  t.notMatch(page, /canary/)
  t.notMatch(gateway.output.join('\n') + gateway.errorOutput, /canary/)
})
