// A session of the Codex CLI, unmodified, with a call of its shell tool, in front of a provider that speaks Anthropic's API. It runs where
// there is a `codex` (`npm run codex` fetches one); elsewhere it is skipped by name.
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { findCodex, runCodex } from '../helpers/codex.js'
import { startGateway } from '../helpers/gateway.js'
import { answer, chunk, LAST_CHUNK, ScriptedUpstream, streamHead } from '../helpers/scripted-upstream.js'

const KEY = 'test-key-0123456789abcdef'
const program = findCodex()
const skip = program === null ? 'no codex in PATH' : false

type Block = { readonly start: object; readonly delta: object }

/** An answer of one block, as Anthropic streams it. */
function message({ start, delta }: Block, reason: string) {
  const events = [
    {
      type: 'message_start',
      message: {
        ...{ id: 'msg_1', type: 'message', role: 'assistant', model: 'claude', content: [], stop_reason: null },
        usage: { input_tokens: 10, output_tokens: 1 },
      },
    },
    { type: 'content_block_start', index: 0, content_block: start },
    { type: 'content_block_delta', index: 0, delta },
    { type: 'content_block_stop', index: 0 },
    { type: 'message_delta', delta: { stop_reason: reason, stop_sequence: null }, usage: { output_tokens: 7 } },
    { type: 'message_stop' },
  ]
  const text = events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join('')
  return answer(streamHead(), chunk(text), LAST_CHUNK)
}

const CALL = message(
  {
    start: { type: 'tool_use', id: 'toolu_1', name: 'exec_command', input: {} },
    delta: { type: 'input_json_delta', partial_json: JSON.stringify({ cmd: 'echo answer-$((40+2))' }) },
  },
  'tool_use',
)
const DONE = message(
  { start: { type: 'text', text: '' }, delta: { type: 'text_delta', text: 'It is 42.' } },
  'end_turn',
)

test('the program is the one that the variable names, else the first in PATH', async (t) => {
  const folder = t.testdir({ codex: '#!/bin/sh' })
  t.equal(findCodex({ PATH: folder }), null, 'a file that cannot be run is none')
  chmodSync(join(folder, 'codex'), 0o755)
  t.equal(findCodex({ PATH: `/nowhere:${folder}` }), join(folder, 'codex'))
  t.equal(findCodex({ PATH: folder, SLUICE_TEST_CODEX: '/mine' }), '/mine')
})

for (const overWebSocket of [false, true]) {
  test(`Codex runs a command that the model asked for, and tells its result, over ${overWebSocket ? 'WebSocket' : 'HTTP'}`, {
    skip,
  }, async (t) => {
    const upstream = await ScriptedUpstream.listen(CALL, DONE)
    t.teardown(() => upstream.close())
    const claude = { protocol: 'anthropic-messages', baseUrl: upstream.origin, apiKey: 'key-of-the-provider' }
    const gateway = await startGateway(t, {
      config: { keys: [{ name: 'test', key: KEY }], providers: { claude } },
    })
    const run = await runCodex({
      ...{ program: program ?? '', folder: t.testdir(), origin: gateway.origin, key: KEY, model: 'claude/model' },
      ...{ prompt: 'What is the answer?', overWebSocket },
    })
    t.equal(run.status, 0, run.stderr)
    const { transport } = await gateway.logLine(({ msg }) => msg === 'exchange')
    t.equal(transport, overWebSocket ? 'websocket' : 'sse')
    const items = run.events.flatMap(({ type, item }) =>
      type === 'item.completed' && item !== undefined ? [item] : [],
    )
    t.match(
      items.find(({ type }) => type === 'command_execution'),
      { aggregated_output: 'answer-42\n', exit_code: 0, status: 'completed' },
    )
    t.match(
      items.find(({ type }) => type === 'agent_message'),
      { text: 'It is 42.' },
    )
    t.match(run.events.at(-1), { type: 'turn.completed', usage: { output_tokens: 14 } })
    t.equal(upstream.requests.length, 2)
    t.match(upstream.requests[1]?.body.toString(), /"tool_use_id":"toolu_1".*answer-42/s)
  })
}
