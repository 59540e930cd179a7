// `sluice simulate`: what it prints, and what it refuses.

import { test } from 'tap'
import { loadEngine } from '../../src/server/engine/engine.js'
import { runSimulate, type SimulateArguments } from '../../src/simulator/command.js'
import { post } from '../helpers/simulator.js'

const args: SimulateArguments = {
  port: 0,
  host: '127.0.0.1',
  protocol: null,
  tokensPerSecond: null,
  isUneven: false,
  faults: null,
}

async function run(special: Partial<SimulateArguments>) {
  const lines: string[] = []
  const simulator = await runSimulate({ ...args, ...special }, loadEngine().uws, (line) => void lines.push(line))
  return { simulator, line: lines.join('\n') }
}

test('prints where it listens and what it serves', async (t) => {
  const faults = '[{"fault":"status,418"}]'
  const { simulator, line } = await run({ protocol: 'ollama-chat', tokensPerSecond: 1000, faults })
  t.teardown(() => simulator?.close())
  t.match(line, /^Simulator on http:\/\/127\.0\.0\.1:\d+ \(ollama-chat, 1000 tokens\/s\), models: echo, lorem/)
  const origin = /http:\S+/.exec(line)?.[0]
  t.equal((await post(`${origin}/api/chat`, { model: 'echo', messages: [] })).status, 418)
})

test('speaks all protocols unpaced by default', async (t) => {
  const { simulator, line } = await run({})
  t.match(line, /\(all protocols, unpaced\)/)
  simulator?.close()
})

test('refuses an unknown protocol, bad faults and a taken port, saying why', async (t) => {
  t.match(await run({ protocol: 'x' }), { simulator: null, line: /Unknown protocol "x"; known: openai-chat/ })
  t.match(await run({ faults: '[{"fault":"x"}]' }), { simulator: null, line: /Faults: rule 0: unknown fault "x"/ })
  t.match(await run({ faults: '{' }), { simulator: null, line: 'Faults: the faults file is not valid JSON.' })
  t.match(await run({ faults: '{}' }), { simulator: null, line: /Faults: the faults file must hold a list/ })
  const first = await run({})
  const port = Number(/:(\d+) /.exec(first.line)?.[1])
  t.match(await run({ port }), { simulator: null, line: `Port ${port} is taken.` })
  first.simulator?.close()
})
