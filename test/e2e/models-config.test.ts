// A models file at a running gateway: its options stand in the body that the upstream gets, and the client's own win.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'tap'
import { request } from 'undici'
import { type Running, startGateway } from '../helpers/gateway.js'
import { scriptedSse } from '../helpers/scripted-sse.js'

const OLLAMA_LINE = JSON.stringify({
  ...{ model: 'llama3', created_at: '2026-11-20T00:00:00Z', message: { role: 'assistant', content: 'Hi' } },
  ...{ done: true, done_reason: 'stop', prompt_eval_count: 1, eval_count: 1 },
})

function chat(gateway: Running, body: object) {
  const messages = [{ role: 'user', content: 'Hi' }]
  return request(`${gateway.origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ messages, ...body }),
  })
}

test('default options reach the upstream, nested ones member by member under the client’s own', async (t) => {
  const upstream = await scriptedSse(t)
  const folder = mkdtempSync(join(tmpdir(), 'sluice-models-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  mkdirSync(join(folder, 'configs'))
  const file = join(folder, 'configs/models-config.json')
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
  writeFileSync(file, JSON.stringify(models))
  const env = { PORT: '0', LLM_PROXY_API_MODELS_CONFIG: file, OLLAMA_BASE_URL: upstream.origin }
  const gateway = await startGateway(t, { env })

  const first = chat(gateway, { model: 'llama3', temperature: 0.9, stream: true })
  const ollama = await upstream.for('llama3')
  t.match(ollama.body, { keep_alive: '30m', options: { num_ctx: 8192, temperature: 0.9 } })
  ollama.write(`${OLLAMA_LINE}\n`)
  ollama.end()
  t.match(await (await first).body.text(), /"content":"Hi"/)

  const second = chat(gateway, { model: 'small', temperature: 0.7, stream: true })
  const small = await upstream.for('/models/small')
  t.match(small.body, { temperature: 0.7, repetition_penalty: 1.2 })
  t.equal(small.headers.authorization, 'Bearer token-of-the-file')
  small.destroy()
  await (await second).body.dump()

  const third = chat(gateway, { model: 'small', stream: true })
  const plain = await upstream.for('/models/small')
  t.match(plain.body, { temperature: 0.2, repetition_penalty: 1.2 })
  plain.destroy()
  await (await third).body.dump()
})
