// Thread entry of the codec pool: decodes, encodes and aggregates whole bodies. Loads the pure core alone, and piscina for
// moving the answer's buffers back; never uWebSockets.js, which may not live in a thread that ends.
import { move, transferableSymbol, valueSymbol } from 'piscina'
import { createCodec } from '../src/protocols/codec.js'
import { answerTask, buffersOf, type Envelope } from '../src/protocols/envelope.js'
import { PROTOCOLS } from '../src/protocols/index.js'

const codec = createCodec(PROTOCOLS)

/** Answers one task; offload/pool calls it by this name. */
export function answer(task: Envelope): unknown {
  const reply = answerTask(codec, task)
  return move({ [transferableSymbol]: buffersOf(reply), [valueSymbol]: reply })
}
