// A store that is opened on first use: a gateway whose clients use neither jobs nor idempotency keys creates no file and starts no
// thread. If opening fails, the call fails, and a later call tries again.
import { GatewayError, toGatewayError } from '../../errors.js'
import { CALL_NAMES } from '../sqlite/store.js'
import { type JobStore, type StoreCalls, type StoreEvent } from '../store.js'

/** A store, and when it is there. */
export type LazyStore = JobStore & {
  readonly isOpen: boolean
  /** Opens it now. @throws misconfigured, as the store itself does */
  open(): Promise<JobStore>
}

/** Each try starts a thread; in between, calls fail with the last error. */
const TRY_AGAIN_MS = 5000

/** `open` is called once at a time; `onTrouble` gets why it failed, once as long as the reason is the same. */
export function createLazyStore(
  open: () => Promise<JobStore>,
  onTrouble: (message: string) => void,
  nowMs: () => number = () => performance.now(),
): LazyStore {
  let failure: { readonly thrown: unknown; readonly atMs: number } | null = null
  let lastTold = ''
  let opening: Promise<JobStore> | null = null
  let store: JobStore | null = null
  let isClosed = false
  const listeners = new Map<(event: StoreEvent) => void, () => void>()

  function openOnce(): Promise<JobStore> {
    opening ??= open().then(
      (opened) => {
        store = opened
        failure = null
        lastTold = ''
        for (const listener of listeners.keys()) listeners.set(listener, opened.subscribe(listener))
        return opened
      },
      (thrown: unknown) => {
        opening = null
        failure = { thrown, atMs: nowMs() }
        throw thrown
      },
    )
    return opening
  }

  async function call(name: keyof StoreCalls, args: readonly unknown[]): Promise<unknown> {
    if (isClosed) throw new GatewayError('draining')
    if (store === null && failure !== null && nowMs() - failure.atMs < TRY_AGAIN_MS) refuse(failure.thrown)
    const opened = store ?? (await openOnce().catch(refuse))
    return await (Reflect.get(opened, name) as (...args: readonly unknown[]) => Promise<unknown>)(...args)
  }

  function refuse(thrown: unknown): never {
    const { message } = toGatewayError(thrown)
    if (message !== lastTold) onTrouble(message)
    lastTold = message
    throw new GatewayError('storage_unavailable', { message: NOT_THERE, cause: thrown })
  }

  const calls = CALL_NAMES.map((name) => [name, (...args: readonly unknown[]) => call(name, args)])
  return {
    ...(Object.fromEntries(calls) as StoreCalls),
    get isOpen() {
      return store !== null
    },
    open: openOnce,
    subscribe(listener) {
      listeners.set(listener, store?.subscribe(listener) ?? nothing)
      return () => {
        listeners.get(listener)?.()
        listeners.delete(listener)
      }
    },
    async close() {
      isClosed = true
      await opening?.then((opened) => opened.close()).catch(nothing)
    },
  }
}

/** A full disk or a missing permission is not overload: it lasts until someone fixes it. */
const NOT_THERE =
  "The job store could not be opened. Jobs and requests with an Idempotency-Key are rejected; all others are served. See the gateway's log."

function nothing(): void {}
