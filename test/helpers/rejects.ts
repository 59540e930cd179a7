// Awaits a rejection and matches its fields; tap's own `rejects` takes only Error shapes.
import { type Test } from 'tap'

/** Passes when `promise` rejects with an error that matches `wanted`. */
export async function rejectsWith(t: Test, promise: Promise<unknown>, wanted: object): Promise<void> {
  try {
    await promise
    t.fail('it should have been refused')
  } catch (error) {
    t.match(error, wanted)
  }
}
