// Whether a target is asked to think.
import { test } from 'tap'
import { type ReasoningRequest } from '../../../src/model/request.js'
import { fitReasoning } from '../../../src/protocols/fit/reasoning.js'
import { testTarget } from '../../helpers/targets.js'

const ORDER: ReasoningRequest = { effort: 'high', budgetTokens: null }
const BUDGET: ReasoningRequest = { effort: null, budgetTokens: 5000 }
const WISH: ReasoningRequest = { effort: 'high', budgetTokens: null, isWish: true }
const NONE: ReasoningRequest = { effort: 'none', budgetTokens: null }

const ROWS: readonly (readonly [
  reasoning: ReasoningRequest | null,
  thinks: boolean | undefined,
  sent: boolean,
  isNamed: boolean,
])[] = [
  ...[true, undefined, false].map((thinks) => [null, thinks, false, false] as const),
  ...[ORDER, BUDGET].flatMap((order) => [
    [order, true, true, false] as const,
    [order, undefined, true, false] as const,
    [order, false, false, true] as const,
  ]),
  [WISH, true, true, false],
  [WISH, undefined, false, true],
  [WISH, false, false, true],
  [NONE, true, true, false],
  [NONE, undefined, true, false],
  [NONE, false, false, false],
]

test('an order goes where it may be carried, a wish where it surely is, and what is left out is named', async (t) => {
  for (const [reasoning, thinks, isSent, isNamed] of ROWS) {
    const dropped: string[] = []
    const target = testTarget('w', thinks === undefined ? {} : { thinks })
    const sent = fitReasoning({ reasoning }, target, (field) => dropped.push(field))
    const name = `${JSON.stringify(reasoning)}, ${String(thinks)}`
    t.equal(sent, isSent ? reasoning : null, name)
    t.same(dropped, isNamed ? ['reasoning'] : [], name)
  }
})
