// A gateway inside another program: `import { createGateway } from 'sluice'`. The same that `sluice start` runs, without its command line
// and its signals. Importing it loads nothing, and creating one starts nothing.
import { type Launched } from './launch.js'

export type GatewayOptions = {
  /** The configuration in the form of the file, or the path of a file; by default what `sluice start` finds. The environment applies all the same. */
  readonly config?: string | Readonly<Record<string, unknown>>
  /** An event loop died, and the gateway with it; by default that is an uncaught error. */
  readonly onFailure?: (error: Error) => void
}

export type Gateway = {
  /** Where it listens, such as `http://127.0.0.1:3000`; null before it does, and when it is closed. */
  readonly address: string | null
  /**
   * Starts it, once; resolves with its address.
   * @throws an error whose message has a line for each problem of the configuration, or names the port that is taken
   */
  listen(): Promise<string>
  /** Accepts nothing more, lets open requests end for `server.drainMs`, and closes. Idempotent. */
  close(): Promise<void>
}

/** A gateway that does not listen yet. */
export function createGateway(options: GatewayOptions = {}): Gateway {
  let launching: Promise<Launched> | null = null
  let closing: Promise<void> | null = null
  let address: string | null = null
  return {
    get address() {
      return address
    },
    async listen() {
      if (closing !== null) throw new Error('the gateway is closed')
      launching ??= launchWith(options)
      const { url } = await launching
      if (closing === null) address = url
      return url
    },
    close() {
      closing ??= closeAfter(launching)
      address = null
      return closing
    },
  }
}

async function launchWith({ config, onFailure = throwLater }: GatewayOptions): Promise<Launched> {
  const { launch } = await import('./launch.js')
  const overrides =
    typeof config === 'string' ? { config } : config === undefined ? {} : { text: JSON.stringify(config) }
  return launch({
    overrides,
    print: ignore,
    warn: ignore,
    isTerminal: false,
    onLoopDied: (reason) => onFailure(new Error(reason)),
  })
}

async function closeAfter(launching: Promise<Launched> | null): Promise<void> {
  const launched = await launching?.catch(() => null)
  await launched?.drain(false)
}

function throwLater(error: Error): void {
  queueMicrotask(() => {
    throw error
  })
}

/** Warnings are in the log as well. */
function ignore(): void {}
