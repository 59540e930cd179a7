// A running simulator for one test, and clients of its wires that take answers apart by hand.

import { type Test } from 'tap'
import { type JsonObject } from '../../src/model/json.js'
import { loadEngine } from '../../src/server/engine/engine.js'
import { createSimulator, type Simulator, type SimulatorOptions } from '../../src/simulator/simulator.js'

export type RunningSimulator = { readonly simulator: Simulator; readonly origin: string; readonly port: number }

/** Starts one on a free port; it is closed with the test. */
export async function startSimulator(t: Test, options: Partial<SimulatorOptions> = {}): Promise<RunningSimulator> {
  const simulator = createSimulator({ uws: loadEngine().uws, ...options })
  const port = await simulator.listen(0)
  t.teardown(() => simulator.close())
  return { simulator, port, origin: `http://127.0.0.1:${port}` }
}

export type Got = {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly json: JsonObject
}

/** Posts JSON and reads the whole answer. */
export async function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Got> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'anthropic-version': '2023-06-01', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, json: text.startsWith('{') ? parse(text) : {} }
}

/** The payloads of an SSE stream with LF or CRLF; throws on anything that is not a data or event line. */
export function ssePayloads(text: string): string[] {
  const payloads: string[] = []
  for (const frame of text.split(/\r?\n\r?\n/)) {
    if (frame === '') continue
    for (const line of frame.split(/\r?\n/)) {
      if (line.startsWith('data: ')) payloads.push(line.slice(6))
      else if (!line.startsWith('event: ') && line !== ': ') throw new Error(`not SSE: ${line}`)
    }
  }
  return payloads
}

/** The JSON objects of an SSE stream, without `[DONE]`. */
export function sseObjects(text: string): JsonObject[] {
  return ssePayloads(text)
    .filter((payload) => payload !== '[DONE]')
    .map(parse)
}

/** The JSON objects of an NDJSON stream. */
export function ndjsonObjects(text: string): JsonObject[] {
  return text.trimEnd().split('\n').map(parse)
}

function parse(text: string): JsonObject {
  try {
    return JSON.parse(text) as JsonObject
  } catch {
    return { unreadable: text }
  }
}

/** A chat whose answer by `echo` has six words, as a stream. */
export const chat = (model: string, special: object = {}) => ({
  model,
  stream: true,
  messages: [{ role: 'user', content: 'one two three four five six' }],
  ...special,
})
