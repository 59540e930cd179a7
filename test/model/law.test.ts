// The checker of the event order law: it must let every lawful stream pass and name each way to break the law.
import { test } from 'tap'
import { errorData } from '../../src/errors.js'
import { type StreamEvent } from '../../src/model/event.js'
import { EventLaw, findViolation } from '../../src/model/law.js'

const start: StreamEvent = { type: 'start', meta: { id: 'i', model: 'm', createdSec: 0, usage: null } }
const open = (index: number): StreamEvent => ({ type: 'block-start', index, block: { kind: 'text' } })
const delta = (index: number): StreamEvent => ({ type: 'block-delta', index, delta: 'x' })
const cite = (index: number): StreamEvent => ({
  type: 'citation',
  index,
  citation: { kind: 'citation', url: 'https://a', title: null, citedText: null, span: null, own: null },
})
const draw = (index: number): StreamEvent => ({
  type: 'block-start',
  index,
  block: { kind: 'image', source: { kind: 'url', url: 'https://a' } },
})
const refuse = (index: number): StreamEvent => ({ type: 'block-start', index, block: { kind: 'refusal' } })
const close = (index: number): StreamEvent => ({ type: 'block-end', index, signature: null })
const finish: StreamEvent = { type: 'finish', reason: 'stop', usage: null, stopSequence: null }
const error: StreamEvent = { type: 'error', error: errorData('upstream_cut') }

test('lets lawful streams pass', async (t) => {
  t.equal(findViolation([start, finish]), null)
  t.equal(findViolation([start, open(0), delta(0), delta(0), close(0), open(1), close(1), finish]), null)
  t.equal(findViolation([start, open(0), cite(0), delta(0), cite(0), close(0), finish]), null)
  for (let cut = 0; cut <= 4; cut++) {
    t.equal(findViolation([...[start, open(0), delta(0), close(0)].slice(0, cut), error]), null, `error after ${cut}`)
  }
})

test('names each violation', async (t) => {
  const cases: [StreamEvent[], string][] = [
    [[], 'the stream ended without finish or error'],
    [[start, open(0), close(0)], 'the stream ended without finish or error'],
    [[open(0)], 'block-start before start'],
    [[finish], 'finish before start'],
    [[start, start], 'a second start'],
    [[start, open(1)], 'block 1 starts where 0 is due'],
    [[start, open(0), open(1)], 'block 1 starts inside another'],
    [[start, open(0), close(0), open(0)], 'block 0 starts where 1 is due'],
    [[start, delta(0)], 'block-delta outside a block'],
    [[start, open(0), close(0), close(0)], 'block-end outside a block'],
    [[start, open(0), close(0), open(1), delta(0)], 'block-delta of block 0 inside block 1'],
    [[start, open(0), close(0), cite(0)], 'citation outside a block'],
    [[start, refuse(0), cite(0)], 'citation in block 0, which is no text'],
    [[start, draw(0), delta(0)], 'a delta in block 0, which is whole'],
    [[start, open(0), finish], 'finish inside a block'],
    [[start, finish, finish], 'finish after the end'],
    [[start, finish, error], 'error after the end'],
    [[error, start], 'start after the end'],
  ]
  for (const [events, violation] of cases) t.equal(findViolation(events), violation)
})

test('remembers the first violation', async (t) => {
  const law = new EventLaw()
  t.equal(law.check(delta(0)), 'block-delta before start')
  t.equal(law.check(start), 'block-delta before start')
  t.equal(law.end(), 'block-delta before start')
})
