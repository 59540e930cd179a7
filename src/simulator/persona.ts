// The simulated models. Each turns a decoded request into a performance: the tokens to send, the tools to call, the finish
// reason and the usage. Pure and deterministic: the same request and seed give the same performance.
import { type JsonObject, type JsonValue } from '../model/json.js'
import { LoremTokens, piecesOf, type Tokens, tokensOf } from './lorem.js'
import { instanceOf } from './schema-instance.js'

/** What every wire reads from its own request. */
export type SimRequest = {
  readonly model: string
  readonly stream: boolean
  readonly includeUsage: boolean
  /** UTF-8 bytes of all text in the prompt. */
  readonly promptBytes: number
  readonly lastUserText: string
  /** Set when the conversation ends with tool results. */
  readonly toolResults: readonly string[] | null
  /** The tools that the model may call, in order; tool choice is already applied. */
  readonly tools: readonly SimTool[]
  /** The request demands a call. */
  readonly mustCall: boolean
  readonly maxTokens: number | null
  readonly stop: readonly string[]
  /** The schema of JSON output; null for plain text. */
  readonly schema: JsonValue | null
}

export type SimTool = { readonly name: string; readonly schema: JsonValue }
/** `pieces` joined are the arguments as JSON text; each is one token. */
export type SimCall = { readonly name: string; readonly args: JsonObject; readonly pieces: readonly string[] }

export type Performance = {
  readonly reasoning: Tokens
  /** Base64; empty without reasoning. */
  readonly signature: string
  readonly text: Tokens
  readonly calls: readonly SimCall[]
  readonly finish: 'stop' | 'stop-sequence' | 'length' | 'tool-calls'
  readonly stopSequence: string | null
  readonly usage: { readonly input: number; readonly output: number; readonly reasoning: number }
}

export type PersonaOptions = { readonly defaultTokens: number; readonly seed: number }

/**
 * What each model answers:
 * ```
 *   echo      the last user text, word by word           tools   calls each offered tool once; after their results, text
 *   lorem     filler of the default count                reason  thinks first (with a signature), then echoes
 *   lorem-N   filler of N tokens                         any other name that begins with one of these is an alias
 *   lorem-max filler up to the cap of the request
 * ```
 */
export const MODELS: readonly string[] = Object.freeze(['echo', 'lorem', 'tools', 'reason'])

/** A name, optionally followed by anything but a letter or digit: `lorem-500`, `echo:7b`. */
const PERSONA = /^(echo|lorem|tools|reason)(?![A-Za-z0-9])/
/** A cap is a ceiling and no length, except of this model. */
const ENDLESS = 'lorem-max'
/** The maximum number of filler tokens in an answer, whatever the request says. */
const MAX_TOKENS = 1_000_000
/** About what vendors' tokenizers yield for English text. */
const BYTES_PER_TOKEN = 4
const ARGUMENT_PIECE = 8
const THOUGHTS = tokensOf('The user said something. I think about it step by step and then repeat it.')
const SIGNATURE = Buffer.from('simulated reasoning signature').toString('base64')
const NO_TOKENS: Tokens = Object.freeze([])
const NO_CALLS: readonly SimCall[] = Object.freeze([])

/** The persona of a model name; null for an unknown name. */
export function personaOf(model: string): string | null {
  return PERSONA.exec(model)?.[1] ?? null
}

/** Performs a request whose model has a persona. */
export function perform(request: SimRequest, options: PersonaOptions): Performance {
  const persona = personaOf(request.model)
  // Every model obeys a demand, once: after the results it has been obeyed.
  const calls = persona === 'tools' || request.mustCall
  if (calls && request.toolResults === null && request.tools.length > 0) return callTools(request)
  const reasoning = persona === 'reason' ? THOUGHTS : NO_TOKENS
  const capped = cap(request, reasoning, answerText(request, persona, options))
  return {
    reasoning: capped.reasoning,
    signature: capped.reasoning.length > 0 ? SIGNATURE : '',
    text: capped.text,
    calls: NO_CALLS,
    finish: capped.finish,
    stopSequence: capped.stopSequence,
    usage: usage(request, capped.reasoning.length + capped.text.length, capped.reasoning.length),
  }
}

function answerText(request: SimRequest, persona: string | null, options: PersonaOptions): Tokens {
  if (request.schema !== null) return piecesOf(JSON.stringify(instanceOf(request.schema) ?? {}), ARGUMENT_PIECE)
  if (persona === 'lorem') return new LoremTokens(loremCount(request, options), options.seed)
  if (persona === 'tools') {
    return tokensOf(
      request.toolResults === null ? 'No tools were offered.' : `The tools say: ${request.toolResults.join(' ')}`,
    )
  }
  return tokensOf(request.lastUserText)
}

function loremCount(request: SimRequest, options: PersonaOptions): number {
  const named = /^lorem-(\d+)$/.exec(request.model)
  const asked = request.model === ENDLESS ? request.maxTokens : null
  return Math.min(named === null ? (asked ?? options.defaultTokens) : Number(named[1]), MAX_TOKENS)
}

type Capped = Pick<Performance, 'reasoning' | 'text' | 'finish' | 'stopSequence'>

function cap(request: SimRequest, reasoning: Tokens, said: Tokens): Capped {
  const { text, stopSequence } = stopAt(said, request.stop)
  const max = request.maxTokens ?? Number.POSITIVE_INFINITY
  const finish = stopSequence === null ? 'stop' : 'stop-sequence'
  // Filler without a natural end finishes with `length`, as a real model would.
  const isEndless = request.model === ENDLESS && request.maxTokens !== null && request.schema === null
  if (reasoning.length + text.length < max || (reasoning.length + text.length === max && !isEndless)) {
    return { reasoning, text, finish, stopSequence }
  }
  if (isEndless && stopSequence !== null) return { reasoning, text, finish, stopSequence }
  const thoughts = reasoning.slice(0, max)
  return { reasoning: thoughts, text: text.slice(0, max - thoughts.length), finish: 'length', stopSequence: null }
}

function stopAt(text: Tokens, stops: readonly string[]): { text: Tokens; stopSequence: string | null } {
  if (stops.length === 0) return { text, stopSequence: null }
  const whole = text.join('')
  let at = -1
  let stopSequence: string | null = null
  for (const stop of stops) {
    const found = whole.indexOf(stop)
    if (found < 0 || (at >= 0 && found >= at)) continue
    at = found
    stopSequence = stop
  }
  if (stopSequence === null) return { text, stopSequence }
  const kept: string[] = []
  let left = at
  for (const token of text) {
    if (left <= 0) break
    kept.push(token.slice(0, left))
    left -= token.length
  }
  return { text: kept, stopSequence }
}

function callTools(request: SimRequest): Performance {
  const calls = request.tools.map((tool) => {
    const built = instanceOf(tool.schema)
    const args = typeof built === 'object' && built !== null && !Array.isArray(built) ? built : {}
    return { name: tool.name, args, pieces: piecesOf(JSON.stringify(args), ARGUMENT_PIECE) }
  })
  const output = calls.reduce((sum, call) => sum + call.pieces.length, 0)
  return {
    reasoning: NO_TOKENS,
    signature: '',
    text: NO_TOKENS,
    calls,
    finish: 'tool-calls',
    stopSequence: null,
    usage: usage(request, output, 0),
  }
}

function usage(request: SimRequest, output: number, reasoning: number): Performance['usage'] {
  return { input: Math.ceil(request.promptBytes / BYTES_PER_TOKEN), output, reasoning }
}
