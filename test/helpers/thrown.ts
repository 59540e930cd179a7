// Looks at what code throws as the plain error data that clients and logs would see.
import { GatewayError } from '../../src/errors.js'
import { type ErrorData } from '../../src/model/error.js'

/** The data of the GatewayError that `run` throws; fails loudly on any other throw and on none. */
export function thrownBy(run: () => unknown): ErrorData {
  try {
    run()
  } catch (error) {
    if (error instanceof GatewayError) return error.data
    throw error
  }
  throw new Error('nothing was thrown')
}

/** The same for a promise. */
export async function rejectionOf(promise: unknown): Promise<ErrorData> {
  try {
    await promise
  } catch (error) {
    if (error instanceof GatewayError) return error.data
    throw error
  }
  throw new Error('nothing was thrown')
}
