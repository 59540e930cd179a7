// One listening socket. When file descriptors are low it is closed, so that the engine does not spin on connections that it cannot
// accept, and reopened when there are enough; meanwhile the system refuses clients, which can use another node.
import { GatewayError } from '../../errors.js'
import { DescriptorBudget, type Descriptors, readDescriptors } from './descriptors.js'
import { type Engine, type ListenSocket, type TemplatedApp } from './engine.js'

export type Binding = {
  readonly app: TemplatedApp
  readonly host: string
  readonly port: number
  readonly isExclusive: boolean
}

/** Called when connections are no longer accepted, and when they are again. */
export type OnAccepting = (isAccepting: boolean, descriptors: Descriptors) => void

export type ListenerOptions = {
  readonly engine: Engine
  readonly binding: Binding
  readonly onAccepting: OnAccepting
  /** Instead of asking the system. */
  readonly descriptors?: () => Descriptors | null
}

const LOOK_EVERY_MS = 1000
/** So that the cost of counting stays bounded: a microsecond per descriptor. */
const LOOK_MS_PER_DESCRIPTOR = 1
/** Another process may bind a port between finding and binding it. */
const FREE_PORT_TRIES = 5

/** Listens on a binding, unless descriptors are short. */
export class Listener {
  readonly #engine: Engine
  readonly #onAccepting: OnAccepting
  readonly #descriptors: () => Descriptors | null
  #binding: Binding
  #socket: ListenSocket | null = null
  #budget: DescriptorBudget | null = null
  #timer: NodeJS.Timeout | null = null
  #lookedAtMs = 0

  constructor({ engine, binding, onAccepting, descriptors }: ListenerOptions) {
    this.#engine = engine
    this.#binding = binding
    this.#onAccepting = onAccepting
    this.#descriptors = descriptors ?? (() => readDescriptors())
    this.#countConnectionsOf(binding.app)
  }

  /**
   * Resolves with the port.
   * @throws misconfigured when the address cannot be bound
   */
  async listen(): Promise<number> {
    this.#socket = await this.#bind()
    const descriptors = this.#descriptors()
    if (descriptors !== null) this.#watch(new DescriptorBudget(descriptors))
    return this.#binding.port
  }

  /**
   * Has another app take new connections; those of the one before live on in that. A listener that closes has the system reset
   * what it has not accepted yet, so that is done right behind a poll phase, in which the engine accepts all there is.
   */
  moveTo(app: TemplatedApp): void {
    setImmediate(() => setImmediate(() => this.#move(app)))
  }

  #move(app: TemplatedApp): void {
    this.#countConnectionsOf(app)
    this.#binding = { ...this.#binding, app }
    // A port that is closed because descriptors are low is opened on the new app later.
    if (this.#socket === null) return
    this.#closeSocket()
    bind(this.#engine, this.#binding).then(
      (socket) => {
        this.#socket = socket
      },
      // Another process has bound the port: the next check tries again.
      () => undefined,
    )
  }

  /** Closes for good. */
  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
    this.#budget = null
    this.#closeSocket()
  }

  /** The end of a connection that became a WebSocket is not reported: until the next check the count is too high. */
  #countConnectionsOf(app: TemplatedApp): void {
    app.filter((_, count) => this.#count(Number(count)))
  }

  #closeSocket(): void {
    const socket = this.#socket
    this.#socket = null
    if (socket !== null) this.#engine.uws.us_listen_socket_close(socket)
  }

  #watch(budget: DescriptorBudget): void {
    this.#budget = budget
    // Keeps the process alive: while the port is closed, nothing else may do so once the last connection has ended.
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS)
  }

  #count(count: number): void {
    const budget = this.#budget
    if (budget === null) return
    budget.change(count)
    if (budget.isShort) this.#pause(budget)
  }

  #look(): void {
    const budget = this.#budget
    const nowMs = performance.now()
    if (budget === null) return
    // While the port is closed the count is not trusted: missed ends of connections would keep it closed.
    const isAccepting = this.#socket !== null
    if (isAccepting && nowMs - this.#lookedAtMs < budget.open * LOOK_MS_PER_DESCRIPTOR) return
    this.#lookedAtMs = nowMs
    const found = this.#descriptors()
    if (found !== null) budget.set(found.open)
    if (budget.isShort) this.#pause(budget)
    else if (budget.isAmple && this.#socket === null) void this.#resume(budget)
  }

  #pause(budget: DescriptorBudget): void {
    if (this.#socket === null) return
    this.#closeSocket()
    this.#onAccepting(false, { open: budget.open, limit: budget.limit })
  }

  /** If another process has bound the port meanwhile, it is tried again at the next check. */
  async #resume(budget: DescriptorBudget): Promise<void> {
    const socket = await bind(this.#engine, this.#binding).catch(() => null)
    if (socket === null) return
    if (this.#budget === null || this.#socket !== null) return this.#engine.uws.us_listen_socket_close(socket)
    this.#socket = socket
    this.#onAccepting(true, { open: budget.open, limit: budget.limit })
  }

  /**
   * A free port is taken by its number at once: a socket that was bound to port 0 lacks the mark (SO_REUSEADDR) without which
   * the port cannot be had again while its connections live.
   */
  async #bind(): Promise<ListenSocket> {
    const { uws } = this.#engine
    for (let tries = 1; this.#binding.port === 0; tries++) {
      const found = await bind(this.#engine, this.#binding)
      const port = uws.us_socket_local_port(found)
      uws.us_listen_socket_close(found)
      const binding = { ...this.#binding, port }
      const socket = await bind(this.#engine, binding).catch((thrown: unknown) => {
        if (tries === FREE_PORT_TRIES) throw thrown
        return null
      })
      if (socket === null) continue
      this.#binding = binding
      return socket
    }
    return bind(this.#engine, this.#binding)
  }
}

/** The engine's `listen` with host and options, which its types lack. */
type Listen = (host: string, port: number, options: number, done: (socket: ListenSocket | false) => void) => unknown

function bind(engine: Engine, { app, host, port, isExclusive }: Binding): Promise<ListenSocket> {
  return new Promise((resolve, reject) => {
    const listen: Listen = (app.listen as unknown as Listen).bind(app)
    listen(host, port, isExclusive ? engine.uws.LIBUS_LISTEN_EXCLUSIVE_PORT : 0, (socket) => {
      if (socket !== false) return resolve(socket)
      const message = `Cannot listen on ${host}:${port}: the port is in use, or the address is not this machine's.`
      reject(new GatewayError('misconfigured', { message }))
    })
  })
}
