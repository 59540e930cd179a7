// A codec worker over the fake protocols that does, when a body's model says so, what a worker must never do.
import { setImmediate as nextTurn } from 'node:timers/promises'
import { move, transferableSymbol, valueSymbol } from 'piscina'
import { createCodec } from '../../src/protocols/contract/codec.js'
import { answerTask, buffersOf, type Envelope } from '../../src/protocols/contract/envelope.js'
import { FAKE_PROTOCOLS } from './fake-protocol.js'

const codec = createCodec(FAKE_PROTOCOLS)

export async function answer(task: Envelope): Promise<unknown> {
  await nextTurn()
  const head = Buffer.from(task.body.subarray(0, 64)).toString('latin1')
  const order = /"model":"!(\w+)"/.exec(head)?.[1]
  if (order === 'throw') throw new Error('thrown by the worker')
  if (order === 'exit') process.exit(3)
  if (order === 'late') setImmediate(() => process.exit(3))
  if (order === 'oom') fillHeap()
  if (order === 'slow') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60)
  while (order === 'loop');
  const reply = answerTask(codec, task)
  return move({ [transferableSymbol]: buffersOf(reply), [valueSymbol]: reply })
}

function fillHeap(): void {
  const held: number[][] = []
  for (;;) held.push(new Array<number>(100_000).fill(held.length))
}
