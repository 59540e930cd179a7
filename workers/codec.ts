// Thread entry of the codec pool: decodes, encodes and aggregates whole bodies. Loads only the pure core, and piscina to transfer the
// result's buffers; never uWebSockets.js, which must not be loaded in a thread that ends.
import { setImmediate } from 'node:timers/promises'
import { move, transferableSymbol, valueSymbol } from 'piscina'
import { createCodec } from '../src/protocols/contract/codec.js'
import { answerTask, buffersOf, type Envelope } from '../src/protocols/contract/envelope.js'
import { ENDPOINTS, PROTOCOLS } from '../src/protocols/index.js'

const codec = createCodec(PROTOCOLS, ENDPOINTS)

/** Runs one task; offload/pool calls it by this name. */
export async function answer(task: Envelope): Promise<unknown> {
  // piscina begins all available tasks before it posts the first answer; a turn per task lets each answer be sent at once.
  await setImmediate()
  const reply = answerTask(codec, task)
  return move({ [transferableSymbol]: buffersOf(reply), [valueSymbol]: reply })
}
