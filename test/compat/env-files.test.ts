// The .env file of each system that Sluice replaces, as its document shows it: a real gateway starts with it, and no setting
// more than the port that tests need. What a document leaves open stands in it as people have it.
import { readdirSync } from 'node:fs'
import { test } from 'tap'
import { request } from 'undici'
import { freePort } from '../helpers/free-port.js'
import { type Running, startGateway, type Teardown } from '../helpers/gateway.js'
import { json, ToldUpstream } from '../helpers/told-upstream.js'

function startWith(t: Teardown, env: string): Promise<Running> {
  return startGateway(t, { files: { '.env': env }, args: ['--port', '0'] })
}

async function get(gateway: Running, path: string, headers: Record<string, string> = {}) {
  const answer = await request(gateway.origin + path, { headers })
  return { status: answer.statusCode, json: (await answer.body.json()) as Record<string, unknown> }
}

/** A chat with that key gets past the gateway's own check; the document's provider keys are none, so no more is asked. */
async function isLetIn(gateway: Running, headers: Record<string, string>): Promise<boolean> {
  const { status } = await get(gateway, '/v1/models', headers)
  return status === 200
}

const QUEUE_KEY = 'proxy-api-key-of-a-test'
const HARDENED = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
}

const STREAM_PROXY = `# Authentication
API_TOKEN=your_secure_token

# API Keys
ANTHROPIC_API_KEY=your_anthropic_api_key
GOOGLE_API_KEY=your_google_api_key

# Server configuration
PORT=3000
`

test('the prompt stream: API_TOKEN and provider keys', async (t) => {
  const gateway = await startWith(t, STREAM_PROXY)
  t.equal(await isLetIn(gateway, { authorization: 'Bearer your_secure_token' }), true)
  t.equal(await isLetIn(gateway, { authorization: 'Bearer another' }), false)
  const { json } = await get(gateway, '/v1/health')
  t.match(json, { providers: [{ name: 'anthropic' }, { name: 'google' }] })
  t.same((await get(gateway, '/health')).json, { status: 'ok' })
  t.match(gateway.errorOutput, /api-token looks like a placeholder/)
  t.match(gateway.errorOutput, /ANTHROPIC_API_KEY contains a placeholder/)
})

test('row 4: the one setting it needs more for its health answer, HEALTH_STATUS', async (t) => {
  const gateway = await startWith(t, `${STREAM_PROXY}OPENAI_API_KEY=your_openai_api_key\nHEALTH_STATUS=healthy\n`)
  t.same((await get(gateway, '/health')).json, { status: 'healthy' })
  t.same((await get(gateway, '/healthz')).json, { status: 'ok' }, 'the word of other systems stays')
})

test('the conversation API: all LLM_PROXY_API names with the examples of their table', async (t) => {
  const gateway = await startWith(
    t,
    `export LLM_PROXY_API_MINIMUM=1
LLM_PROXY_API_LOG_FILENAME=llm-proxy-rest.log
LLM_PROXY_API_LOG_LEVEL=INFO
LLM_PROXY_API_TIMEOUT=300
LLM_PROXY_API_EP_PREFIX=/api
LLM_PROXY_API_DEFAULT_EP_LANGUAGE=pl
LLM_PROXY_API_PROMPTS_DIR=resources/prompts
LLM_PROXY_API_MODELS_CONFIG=resources/configs/models-config.json
LLM_PROXY_API_IN_DEBUG=true
`,
  )
  t.same((await get(gateway, '/api/ping')).json, { status: true, body: 'pong' })
  t.ok(readdirSync(gateway.folder).includes('llm-proxy-rest.log'), 'the log is where it was')
  t.match(gateway.errorOutput, /the file resources\/configs\/models-config\.json does not exist/)
  t.notMatch(gateway.errorOutput, /prompts/, 'the prompts that come with Sluice are found')
})

test('the streaming API: API_KEYS, rate limit, Ollama and OpenRouter', async (t) => {
  const gateway = await startWith(
    t,
    `API_KEYS=your-secret-api-key,second-secret-key-0123
RATE_LIMIT_REQUESTS=60
RATE_LIMIT_WINDOW_SECONDS=60
OPENROUTER_API_KEY=your-openrouter-key
OLLAMA_BASE_URL=http://localhost:11434
`,
  )
  for (const key of ['your-secret-api-key', 'second-secret-key-0123'])
    t.equal(await isLetIn(gateway, { authorization: `Bearer ${key}` }), true, key)
  const { json } = await get(gateway, '/v1/health')
  const names = (json.providers as { name: string }[]).map(({ name }) => name)
  t.same(names.sort(), ['ollama', 'openrouter'])
})

test('the queue: a placeholder where the address should be is warned of and does not stop the start', async (t) => {
  const gateway = await startWith(
    t,
    `PORT=3000
OPENAI_API_KEY=your-api-key-here
OPENAI_API_BASE_URL=your-endpoint-here
MAX_CONCURRENT=2
API_KEY=your-proxy-api-key-here
`,
  )
  t.same((await get(gateway, '/health')).json, { status: 'ok' })
  t.equal(await isLetIn(gateway, { 'x-api-key': 'your-proxy-api-key-here' }), true)
  t.equal(await isLetIn(gateway, {}), false)
  t.match((await get(gateway, '/v1/health')).json, { providers: [{ name: 'openai' }] })
  t.match(gateway.errorOutput, /OPENAI_API_BASE_URL contains a placeholder/)
})

test('row 31: X-API-Key opens all but the health route, and every answer has the headers of a hardened server', async (t) => {
  const gateway = await startWith(t, `API_KEY=${QUEUE_KEY}\n`)
  for (const [headers, status] of [
    [{ 'x-api-key': QUEUE_KEY }, 200],
    [{}, 401],
    [{ 'x-api-key': 'nobody' }, 401],
  ] as const) {
    const answer = await request(`${gateway.origin}/v1/models`, { headers })
    await answer.body.dump()
    t.equal(answer.statusCode, status)
    t.match(answer.headers, HARDENED)
  }
  const health = await request(`${gateway.origin}/health`)
  t.strictSame([health.statusCode, await health.body.json()], [200, { status: 'ok' }])
  t.match(health.headers, HARDENED)
})

test('row 32: OPENAI_API_KEY goes to OPENAI_API_BASE_URL, and PORT is the port', async (t) => {
  const upstream = await ToldUpstream.start(t, json({ id: 'c', object: 'chat.completion', choices: [] }))
  const port = await freePort()
  const address = `OPENAI_API_KEY=key-of-openai\nOPENAI_API_BASE_URL=${upstream.origin}/v1\n`
  const gateway = await startGateway(t, { files: { '.env': `PORT=${port}\n${address}API_KEY=${QUEUE_KEY}\n` } })
  t.equal(gateway.origin, `http://127.0.0.1:${port}`)
  const answer = await request(`${gateway.origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': QUEUE_KEY },
    body: '{"model":"gpt-3.5-turbo","messages":[{"role":"user","content":"Hello!"}],"temperature":0.7}',
  })
  await answer.body.dump()
  t.equal(answer.statusCode, 200)
  t.match(upstream.last, { url: '/v1/chat/completions', headers: { authorization: 'Bearer key-of-openai' } })
})

test('the provider proxy: connection settings and base URLs, no gateway key', async (t) => {
  const gateway = await startWith(
    t,
    `HTTP_TIMEOUT_SECONDS=60
HTTP_MAX_CONNECTIONS=100
HTTP_MAX_KEEPALIVE_CONNECTIONS=20
OPENAI_BASE_URL=https://api.openai.com/v1
ANTHROPIC_BASE_URL=https://api.anthropic.com
ANTHROPIC_VERSION=2023-06-01
`,
  )
  t.same((await get(gateway, '/healthz')).json, { status: 'ok' })
  t.equal((await get(gateway, '/v1/models')).status, 200)
})
