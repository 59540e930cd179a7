// A conversation gateway, row by row: what lies in files. Its prompt library, its models file and its providers, at running
// gateways with a scripted upstream, since what counts is what the upstream gets to see.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tap, { test } from 'tap'
import { request } from 'undici'
import { contentChunk, endOfContent, KEY, read, send } from '../../helpers/compat.js'
import { ROOT, type Running, startGateway, type Teardown } from '../../helpers/gateway.js'
import { type ScriptedCall, scriptedSse } from '../../helpers/scripted-sse.js'

const upstream = await scriptedSse(tap)
const keys = [{ name: 'k', key: KEY }]
const config = {
  keys,
  providers: { up: { protocol: 'openai-chat', baseUrl: upstream.origin, models: ['m'] } },
}
/** With the library that comes with Sluice. */
const gateway = await startGateway(tap, { config: { ...config, models: { fast: 'up/m' } } })

const TALK_PATH = '/api/conversation_with_model'
const TALK = { model_name: 'up/m', user_last_statement: 'Explain recursion.' }

type Message = { readonly role: string; readonly content: string }

/** What stands before the last statement when it reaches the upstream; empty for nothing. */
async function systemPrompt(running: Running, body: object, path: string = TALK_PATH): Promise<string> {
  const asked = send(running, path, { ...TALK, ...body })
  const call = await upstream.next()
  finish(call)
  await (await asked).end()
  const messages = call.body.messages as readonly Message[]
  return messages.find(({ role }) => role === 'system')?.content ?? ''
}

function finish(call: ScriptedCall): void {
  call.write(contentChunk('x') + endOfContent())
  call.end()
}

function libraryPrompt(language: string, name: string): string {
  return readFileSync(join(ROOT, 'resources/prompts', language, `${name}.prompt`), 'utf8').trim()
}

/** A folder of files that the test may change. */
function folderOf(t: Teardown, files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-seed-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, '..'), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  return folder
}

test('row 9: the library’s system prompt of that language reaches the upstream, else that of the default language', async (t) => {
  const english = libraryPrompt('en', 'conversation')
  const polish = libraryPrompt('pl', 'conversation')
  t.not(english, polish)
  t.equal(await systemPrompt(gateway, { language: 'en' }), english)
  t.equal(await systemPrompt(gateway, { language: 'pl' }), polish)
  t.equal(await systemPrompt(gateway, { language: 'pl-PL' }), polish)
  for (const language of ['de', '', null]) t.equal(await systemPrompt(gateway, { language }), english, `${language}`)
  t.equal(await systemPrompt(gateway, {}), english)
})

test('row 10: so it does in an extended conversation, unless that brings its own', async (t) => {
  const path = '/api/extended_conversation_with_model'
  t.equal(await systemPrompt(gateway, { language: 'pl' }, path), libraryPrompt('pl', 'extended-conversation'))
  t.equal(await systemPrompt(gateway, { language: 'pl', system_prompt: 'Be brief.' }, path), 'Be brief.')
})

test('row 11: the tags tell model, provider and languages, of the models that the key may use', async (t) => {
  const tags = { languages: ['en', 'pl'], provider: 'up' }
  t.strictSame(await (await read(gateway, '/api/tags')).json(), {
    models: [
      { name: 'fast', model: 'fast', ...tags },
      { name: 'up/m', model: 'up/m', ...tags },
    ],
  })
  t.equal((await read(gateway, '/api/tags', { authorization: 'Bearer nobody' })).status, 401)
})

const OLLAMA_LINE = JSON.stringify({
  ...{ model: 'llama3', created_at: '2026-11-20T00:00:00Z', message: { role: 'assistant', content: 'Hi' } },
  ...{ done: true, done_reason: 'stop', prompt_eval_count: 1, eval_count: 1 },
})

test('row 14: of the documented shape default options reach the upstream, nested ones under the client’s own', async (t) => {
  const models = {
    ollama: {
      default_options: { keep_alive: '30m', options: { num_ctx: 4096 } },
      llama3: { options: { num_ctx: 8192, temperature: 0.1 } },
    },
    local: {
      api_host: upstream.origin,
      api_type: 'openai-chat',
      api_token: 'token-of-the-file',
      small: { temperature: 0.2, repetition_penalty: 1.2, model_path: '/models/small' },
    },
  }
  const folder = folderOf(t, { 'configs/models-config.json': JSON.stringify(models) })
  const file = join(folder, 'configs/models-config.json')
  const env = { API_KEY: KEY, LLM_PROXY_API_MODELS_CONFIG: file, OLLAMA_BASE_URL: upstream.origin }
  const running = await startGateway(t, { args: ['--port', '0'], env })
  const messages = [{ role: 'user', content: 'Hi' }]

  const first = send(running, '/v1/chat/completions', { model: 'llama3', temperature: 0.9, stream: true, messages })
  const ollama = await upstream.for('llama3')
  t.match(ollama.body, { keep_alive: '30m', options: { num_ctx: 8192, temperature: 0.9 } })
  ollama.write(`${OLLAMA_LINE}\n`)
  ollama.end()
  t.match(await (await first).end(), /"content":"Hi"/)

  const second = send(running, TALK_PATH, { ...TALK, model_name: 'small' })
  const small = await upstream.for('/models/small')
  t.match(small.body, { temperature: 0.2, repetition_penalty: 1.2 })
  t.equal(small.headers.authorization, 'Bearer token-of-the-file')
  finish(small)
  await (await second).end()

  const third = send(running, '/api/chat', { model: 'small', temperature: 0.7, messages })
  const own = await upstream.for('/models/small')
  t.match(own.body, { temperature: 0.7, repetition_penalty: 1.2 })
  finish(own)
  await (await third).end()
})

test('row 14: of the other shape each model says where it is, and the active ones alone are served', async (t) => {
  const at = (token: string) => ({ api_host: upstream.origin, api_token: token, api_type: 'vllm', input_size: 4096 })
  const models = {
    google_models: { 'google/gemma-3-12b-it': { ...at('token-of-gemma'), model_path: '' }, idle: at('') },
    speakleash_models: { bielik: { ...at(''), model_path: 'speakleash/Bielik-11B' } },
    active_models: { google_models: ['google/gemma-3-12b-it'], speakleash_models: ['bielik'] },
  }
  const folder = folderOf(t, { 'models-config.json': JSON.stringify(models) })
  const env = { API_KEY: KEY, LLM_PROXY_API_MODELS_CONFIG: join(folder, 'models-config.json') }
  const running = await startGateway(t, { args: ['--port', '0'], env })
  for (const [name, path, authorization] of [
    ['google/gemma-3-12b-it', 'google/gemma-3-12b-it', 'Bearer token-of-gemma'],
    ['bielik', 'speakleash/Bielik-11B', undefined],
  ] as const) {
    const asked = send(running, TALK_PATH, { ...TALK, model_name: name })
    const call = await upstream.for(path)
    t.equal(call.headers.authorization, authorization)
    finish(call)
    t.equal((await asked).status, 200)
  }
  t.equal((await send(running, TALK_PATH, { ...TALK, model_name: 'idle' })).status, 404)
  const { models: tags } = await (await read(running, '/api/tags')).json()
  t.match(tags, [{ name: 'google/gemma-3-12b-it' }, { name: 'bielik' }])
})

/** The library looks at its folder once a second, on use. */
const MAX_LOOKS = 100

test('row 15: prompts of a folder of one’s own, its default language, and edits without a restart', async (t) => {
  const folder = folderOf(t, {
    'pl/conversation.prompt': 'Jesteś pomocny.\n',
    'en/chat.prompt': 'English, but another kind.',
  })
  const env = { LLM_PROXY_API_PROMPTS_DIR: folder, LLM_PROXY_API_DEFAULT_EP_LANGUAGE: 'pl' }
  const running = await startGateway(t, { config, env })
  for (const language of ['pl', 'en', 'de']) {
    t.equal(await systemPrompt(running, { language }), 'Jesteś pomocny.', `${language} has no such prompt but pl`)
  }
  writeFileSync(join(folder, 'pl/conversation.prompt'), 'Bądź zwięzły.')
  writeFileSync(join(folder, 'en/conversation.prompt'), 'Be brief.')
  const seen = new Set<string>()
  for (let i = 0; i < MAX_LOOKS && !seen.has('Be brief.'); i++) {
    seen.add(await systemPrompt(running, { language: 'en' }))
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  t.strictSame([...seen], ['Jesteś pomocny.', 'Be brief.'])
  t.equal(await systemPrompt(running, { language: 'de' }), 'Bądź zwięzły.')
})

test('row 15: a language that would leave the folder is 400, and nobody is asked', async (t) => {
  for (const language of ['..', '../../pl', '/etc', 'pl/../..', '..\\pl', '.hidden', 'p\u0000l', 'x'.repeat(65)]) {
    const answer = await send(gateway, TALK_PATH, { ...TALK, language })
    t.equal(answer.status, 400, language)
    t.match(await answer.json(), { error: 'bad_request', details: /language/ })
  }
})

test('row 18: a vendor is one file of data: each one there is comes by its name alone', async (t) => {
  const vendors = readdirSync(join(ROOT, 'resources/providers')).map((file) => file.replace(/\.json$/, ''))
  const entries = vendors.map((name) => [name, { apiKey: 'key-of-a-test', baseUrl: upstream.origin }])
  const running = await startGateway(t, { config: { keys, providers: Object.fromEntries(entries) } })
  const health = await request(`${running.origin}/v1/health`)
  const { providers } = (await health.body.json()) as { providers: { name: string }[] }
  t.ok(vendors.length > 10)
  t.same(providers.map(({ name }) => name).sort(), [...vendors].sort())
})
