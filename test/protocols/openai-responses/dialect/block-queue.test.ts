// Interleaved parts as blocks that do not overlap.
import { test } from 'tap'
import { type StreamEvent } from '../../../../src/model/event.js'
import { BlockQueue } from '../../../../src/protocols/openai-responses/dialect/block-queue.js'

function queue() {
  const seen: string[] = []
  const emit = (event: StreamEvent): void => {
    if (event.type === 'block-start') seen.push(`+${event.index} ${event.block.kind}`)
    if (event.type === 'block-delta') seen.push(`${event.index} ${event.delta}`)
    if (event.type === 'block-end') seen.push(`-${event.index}${event.signature === null ? '' : ` ${event.signature}`}`)
  }
  return { blocks: new BlockQueue(emit), seen }
}

const TEXT = { kind: 'text' } as const
const THOUGHT = { kind: 'reasoning', redacted: null } as const

test('the first block streams, the others wait', async (t) => {
  const { blocks, seen } = queue()
  const [a, b] = [blocks.add(TEXT), blocks.add(TEXT)]
  blocks.append(a, 'a1')
  blocks.append(b, 'b1')
  blocks.append(a, 'a2')
  blocks.append(b, 'b2')
  t.same(seen, ['+0 text', '0 a1', '0 a2'])
  blocks.close(b)
  blocks.close(a)
  blocks.append(a, 'late')
  blocks.close(a)
  t.same(seen.slice(3), ['-0', '+1 text', '1 b1b2', '-1'])
})

test('a block without anything is never opened, but a signature or a call is something', async (t) => {
  const { blocks, seen } = queue()
  blocks.append(blocks.add(TEXT), '')
  blocks.add(THOUGHT)
  const signed = blocks.add(THOUGHT)
  const call = blocks.add(null)
  const nameless = blocks.add(null)
  blocks.append(nameless, '{}')
  blocks.close(signed, 'sig')
  t.notOk(blocks.hasCalls)
  call.head = { kind: 'tool-call', id: 'c', name: 'f' }
  blocks.opened()
  blocks.end()
  t.same(seen, ['+0 reasoning', '-0 sig', '+1 tool-call', '-1'])
  t.ok(blocks.hasCalls)
})
