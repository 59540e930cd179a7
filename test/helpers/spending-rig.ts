// A pipeline whose requests fall under budgets, with prices that are easy to reckon with.
import { FakeDesk, type Limits } from './fake-desk.js'
import { PipelineRig } from './pipeline.js'
import { NO_PRICES, type RigOptions } from './pipeline-config.js'

/** Nano-dollars a token: 1000 in, 2000 out; south is ten times cheaper. */
export const MODELS = { 'north/*': { input: 1, output: 2 }, 'south/*': { input: 0.1, output: 0.2 } }
export const NOTHING = { nano: 0, tokens: 0 }

export type SpendingRig = { readonly desk: FakeDesk; readonly rig: PipelineRig }

export function setUpSpending(limits: Partial<Limits> = { nano: 1e9 }, options: RigOptions = {}): SpendingRig {
  const desk = new FakeDesk({ nano: null, tokens: null, ...limits })
  const prices = { ...NO_PRICES, enabled: true, models: MODELS, table: { version: 'test', lists: {} } }
  return { desk, rig: new PipelineRig({ prices, ...options, budgets: desk }) }
}

/** The cap of the last call, as its provider got it. */
export function sentCap(rig: PipelineRig): unknown {
  const body = JSON.parse(Buffer.from(rig.call.request.body as Uint8Array).toString()) as Record<string, unknown>
  return body.max_tokens ?? body.max_completion_tokens ?? null
}
