// S4: what does a streamed event cost that is translated on its way? The floor is the bare pipe with the same upstream's
// events as they are.
import { against, startBarePipe, startSluice } from '../contenders.js'
import { type Ask } from '../requests.js'
import { type Bench, interleave, scaled } from '../rounds.js'
import { runStreams } from '../stream-load.js'

const TOKENS = 100
const STREAMS = 500
/**
 * Client first, then upstream. Gemini and Ollama send a tool call as one whole event, so that there is no delta of arguments
 * whose cost could be told.
 */
const PAIRS: readonly (readonly [string, Ask])[] = [
  ['openai from anthropic, text', { client: 'openai', upstream: 'anthropic', tokens: TOKENS }],
  ['openai from anthropic, tool', { client: 'openai', upstream: 'anthropic', tokens: TOKENS, isTool: true }],
  ['anthropic from openai, text', { client: 'anthropic', upstream: 'openai', tokens: TOKENS }],
  ['anthropic from openai, tool', { client: 'anthropic', upstream: 'openai', tokens: TOKENS, isTool: true }],
  ['openai from responses, text', { client: 'openai', upstream: 'responses', tokens: TOKENS }],
  ['responses from openai, text', { client: 'responses', upstream: 'openai', tokens: TOKENS }],
  ['responses from openai, tool', { client: 'responses', upstream: 'openai', tokens: TOKENS, isTool: true }],
  ['responses from anthropic, text', { client: 'responses', upstream: 'anthropic', tokens: TOKENS }],
  ['responses from gemini, text', { client: 'responses', upstream: 'gemini', tokens: TOKENS }],
  ['responses from ollama, text', { client: 'responses', upstream: 'ollama', tokens: TOKENS }],
  ['openai from gemini, text', { client: 'openai', upstream: 'gemini', tokens: TOKENS }],
  ['openai from ollama, text', { client: 'openai', upstream: 'ollama', tokens: TOKENS }],
]

/** Adds S4's figures. */
export async function runS4(bench: Bench): Promise<void> {
  await against([], [startBarePipe, startSluice], async (contenders) => {
    for (const [name, ask] of PAIRS) {
      await interleave(bench, { scenario: `S4 ${name}`, entrants: contenders }, async (each, turn) => {
        const { cpuUsPerEvent } = await runStreams(each, ask, {
          streams: scaled(bench, STREAMS, turn),
          concurrency: 16,
        })
        turn.add('CPU us/event', cpuUsPerEvent)
      })
    }
  })
}
