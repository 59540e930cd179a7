// Interleaved fragments become blocks that do not overlap, and nothing is lost.
import fc from 'fast-check'
import { test } from 'tap'
import { Aggregator } from '../../../../src/model/aggregate.js'
import { type StreamEvent } from '../../../../src/model/event.js'
import { type JsonObject } from '../../../../src/model/json.js'
import { findViolation } from '../../../../src/model/law.js'
import { BlockSequencer, type CallFragment } from '../../../../src/protocols/openai-chat/dialect/block-sequencer.js'
import { FALLBACK, outline } from '../recordings.js'

function sequence(run: (blocks: BlockSequencer) => void): StreamEvent[] {
  const events: StreamEvent[] = [{ type: 'start', meta: FALLBACK }]
  const blocks = new BlockSequencer((event) => events.push(event), 'call_x')
  run(blocks)
  blocks.finish()
  events.push({ type: 'finish', reason: 'stop', usage: null, stopSequence: null })
  return events
}

function call(index: number | null, text: string, head: { id?: string; name?: string } = {}): CallFragment {
  return { index, id: head.id ?? '', name: head.name ?? '', arguments: text }
}

test('interleaved calls come out one after the other', (t) => {
  const events = sequence((blocks) => {
    blocks.call(call(0, '', { id: 'a', name: 'f' }))
    blocks.call(call(1, '{"x":', { id: 'b', name: 'g' }))
    blocks.call(call(0, '{"y":"}'))
    blocks.call(call(1, '1}'))
    blocks.call(call(0, '\\""}'))
    blocks.call(call(0, ' '))
  })
  t.equal(findViolation(events), null)
  t.strictSame(outline(events), ['a:f({"y":"}\\""})', 'b:g({"x":1})'])
  t.end()
})

test('a second call streams live once the first is closed JSON', (t) => {
  const seen: string[] = []
  const blocks = new BlockSequencer((event) => seen.push(event.type), 'call_x')
  blocks.call(call(0, '{"a":{}}', { id: 'a', name: 'f' }))
  blocks.call(call(1, '{', { id: 'b', name: 'g' }))
  t.strictSame(seen, ['block-start', 'block-delta', 'block-end', 'block-start', 'block-delta'])
  t.end()
})

test('text within an unfinished call waits for its end; after a finished one it streams', (t) => {
  const waits = sequence((blocks) => {
    blocks.call(call(0, '{"a"', { id: 'a', name: 'f' }))
    blocks.text('text', 'so')
    blocks.text('text', ' far')
    blocks.call(call(0, ':1}'))
    blocks.text('text', '!')
  })
  t.equal(findViolation(waits), null)
  t.strictSame(outline(waits), ['a:f({"a":1})', 'text:so far!'])
  t.end()
})

test('a call opens only when its name is known, and not at all when nothing comes but its index', (t) => {
  const late = sequence((blocks) => {
    blocks.call(call(0, '{'))
    blocks.call(call(0, '}', { name: 'f' }))
    blocks.call(call(1, ''))
  })
  t.equal(findViolation(late), null)
  t.strictSame(outline(late), ['call_x_0:f({})'])
  const nameless = sequence((blocks) => blocks.call(call(0, '{}')))
  t.strictSame(outline(nameless), ['call_x_0:({})'])
  t.end()
})

test('distinguishes whole calls that all have index 0 by id and name', (t) => {
  const events = sequence((blocks) => {
    blocks.call(call(0, '{}', { id: 'a', name: 'f' }))
    blocks.call(call(0, '{"b":2}', { id: 'b', name: 'g' }))
  })
  t.strictSame(outline(events), ['a:f({})', 'b:g({"b":2})'])
  t.end()
})

test('fragments without index follow the last call, by id or by having no name', (t) => {
  const events = sequence((blocks) => {
    blocks.call(call(null, '{', { id: 'a', name: 'f' }))
    blocks.call(call(null, '"a":1', { id: 'a' }))
    blocks.call(call(null, '}'))
    blocks.call(call(null, '{}', { name: 'g' }))
  })
  t.strictSame(outline(events), ['a:f({"a":1})', 'call_x_1:g({})'])
  t.end()
})

test('a call is counted once it is given out', (t) => {
  const blocks = new BlockSequencer(() => undefined, 'x')
  blocks.call(call(0, ''))
  t.equal(blocks.hasCalls, false)
  blocks.call(call(0, '', { name: 'f' }))
  t.equal(blocks.hasCalls, true)
  t.end()
})

test('however calls are cut and interleaved, each comes out whole', (t) => {
  const json = fc.object({ key: fc.string(), values: [fc.string(), fc.integer(), fc.boolean()], maxDepth: 2 })
  const cutCall = fc.tuple(json, fc.array(fc.nat(), { maxLength: 6 }))
  fc.assert(
    fc.property(
      fc.array(cutCall, { minLength: 1, maxLength: 4 }),
      fc.array(fc.nat(), { maxLength: 40 }),
      (calls, order) => {
        const texts = calls.map(([value]) => JSON.stringify(value))
        const queues = calls.map(([, cuts], index) => fragmentsOf(texts[index] ?? '', cuts, index))
        const events = sequence((blocks) => {
          let turn = 0
          while (queues.some((queue) => queue.length > 0)) {
            const live = queues.filter((queue) => queue.length > 0)
            const next = live[(order[turn++ % Math.max(1, order.length)] ?? 0) % live.length]?.shift()
            if (next !== undefined) blocks.call(next)
          }
        })
        return (
          findViolation(events) === null &&
          outline(events).toSorted().join() ===
            texts
              .map((text, i) => `id${i}:f(${text})`)
              .toSorted()
              .join()
        )
      },
    ),
  )
  t.end()
})

function fragmentsOf(text: string, cuts: readonly number[], index: number): CallFragment[] {
  const at = [0, ...cuts.map((cut) => cut % (text.length + 1)), text.length].toSorted((a, b) => a - b)
  const pieces = at.slice(1).map((end, i) => text.slice(at[i], end))
  return pieces.map((piece, i) => call(index, piece, i === 0 ? { id: `id${index}`, name: 'f' } : {}))
}

function annotation(url: string, start: number, end: number): JsonObject {
  return { type: 'url_citation', url_citation: { url, title: '', start_index: start, end_index: end } }
}

/** Blocks with their text and their sources. */
function cited(run: (blocks: BlockSequencer) => void) {
  const events = sequence(run)
  const aggregator = new Aggregator(FALLBACK)
  for (const event of events) aggregator.push(event)
  const parts = aggregator.response().content.map((part) => {
    const sources = part.type === 'text' ? (part.citations ?? []) : []
    return [part.type, ...sources.map(({ url, span }) => `${url} ${span?.start}-${span?.end}`)].join(' ')
  })
  return [findViolation(events), ...parts]
}

test('annotations belong to the last text, with positions in it', async (t) => {
  const inOrder = cited((blocks) => {
    blocks.text('text', 'abc')
    blocks.cite([annotation('a', 0, 2)])
    blocks.text('reasoning', 'hm')
    blocks.text('text', 'def')
    blocks.cite([annotation('b', 3, 5)])
  })
  t.same(inOrder, [null, 'text a 0-2', 'reasoning', 'text b 0-2'])
  const waiting = cited((blocks) => {
    blocks.call(call(0, '{', { id: 'a', name: 'f' }))
    blocks.text('text', 'abc')
    blocks.cite([annotation('a', 1, 3)])
    blocks.call(call(0, '}'))
  })
  t.same(waiting, [null, 'tool-call', 'text a 1-3'])
})

test('annotations without an open text open one; what is no annotation opens nothing', async (t) => {
  const late = cited((blocks) => {
    blocks.text('text', 'abc')
    blocks.call(call(0, '{}', { id: 'a', name: 'f' }))
    blocks.cite([annotation('a', 0, 3)])
  })
  t.same(late, [null, 'text', 'tool-call', 'text a undefined-undefined'])
  t.same(
    cited((blocks) => blocks.cite([annotation('a', 0, 0)])),
    [null, 'text a 0-0'],
  )
  t.same(
    cited((blocks) => {
      blocks.cite(null)
      blocks.cite([])
    }),
    [null],
  )
})

test('an image is a block of its own, in its place', async (t) => {
  const events = sequence((blocks) => {
    blocks.text('text', 'a')
    blocks.image({ kind: 'url', url: 'https://a' })
    blocks.text('text', 'b')
  })
  t.equal(findViolation(events), null)
  t.strictSame(outline(events), ['text:a', 'made-image', 'text:b'])
})
