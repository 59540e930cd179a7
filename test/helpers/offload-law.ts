// Law 6 as a function: what a worker and this thread make of the same task, compared.
import { isDeepStrictEqual } from 'node:util'
import { GatewayError } from '../../src/errors.js'
import { type Offload } from '../../src/offload/offload.js'

/** Law 6: the worker gives what the same task gives on this thread, failures included. */
export async function findUnlike(
  name: string,
  run: (offload: Offload) => unknown,
  worker: Offload,
  inline: Offload,
): Promise<string[]> {
  const [found, wanted] = [await outcomeOf(() => run(worker)), await outcomeOf(() => run(inline))]
  return isDeepStrictEqual(found, wanted) ? [] : [`${name}: ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`]
}

/** The result, or the error's data; the parsed body aside, which stays on its thread. Bytes are compared as such, whatever holds them. */
async function outcomeOf(run: () => unknown): Promise<unknown> {
  try {
    const result = { ...((await run()) as { body?: Uint8Array }), json: null }
    return result.body === undefined ? result : { ...result, body: Buffer.from(result.body).toString('latin1') }
  } catch (error) {
    if (error instanceof GatewayError) return { error: error.data }
    throw error
  }
}
