// An open request as GET /admin/v1/streams lists it, and how the screen says it.
import { count, duration, orNone, tokensPerSec as rateOf } from '../format.js'
import { type Column } from '../shell/table.js'

export type StreamEntry = {
  readonly id: string
  readonly requestId: string
  readonly key: string | null
  readonly model: string | null
  readonly target: string | null
  readonly transport: string
  readonly state: 'waiting' | 'first_token' | 'streaming' | 'parked'
  readonly position: number | null
  readonly attempts: number
  readonly ageMs: number
  readonly outputTokens: number
  readonly tokensPerSec: number | null
}

const STATES = { first_token: 'first token', streaming: 'streaming', parked: 'parked' } as const

/** The columns of the list, in their order. */
export const COLUMNS: readonly Column<StreamEntry>[] = [
  { name: 'State', textOf: stateOf },
  { name: 'Key', textOf: ({ key }) => orNone(key) },
  { name: 'Model', textOf: ({ model }) => orNone(model) },
  { name: 'Target', textOf: ({ target }) => orNone(target) },
  { name: 'Transport', textOf: ({ transport }) => transport },
  { name: 'Attempt', isNumber: true, textOf: ({ attempts }) => count(attempts) },
  { name: 'Age', isNumber: true, textOf: ({ ageMs }) => duration(ageMs) },
  { name: 'Tokens', isNumber: true, textOf: ({ outputTokens }) => count(outputTokens) },
  { name: 'Rate', isNumber: true, textOf: ({ tokensPerSec }) => rateOf(tokensPerSec) },
  { name: 'Request', isMono: true, textOf: ({ requestId }) => requestId },
]

function stateOf({ state, position }: StreamEntry): string {
  if (state !== 'waiting') return STATES[state]
  return position === null ? 'waiting' : `waiting #${position}`
}

/** What somebody looks for stands in one of its names. */
export function matches({ requestId, key, model, target }: StreamEntry, wanted: string): boolean {
  const text = wanted.toLowerCase()
  return [requestId, key, model, target].some((name) => name?.toLowerCase().includes(text) === true)
}

/** `12 open: 2 waiting, 1 first token, 9 streaming`. */
export function summaryOf(entries: readonly StreamEntry[], total: number): string {
  const of = (state: StreamEntry['state']): number => entries.filter((entry) => entry.state === state).length
  const parts = [
    [of('waiting'), 'waiting'],
    [of('first_token'), 'first token'],
    [of('streaming'), 'streaming'],
    [of('parked'), 'parked'],
  ] as const
  const said = parts.filter(([number]) => number > 0).map(([number, name]) => `${count(number)} ${name}`)
  const rest = total > entries.length ? `; the ${count(entries.length)} oldest are shown` : ''
  return said.length === 0 ? 'No open requests.' : `${count(total)} open: ${said.join(', ')}${rest}`
}
