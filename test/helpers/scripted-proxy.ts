// A proxy that does as it is told: tunnels every CONNECT to one port, whatever name it asks for, or answers it otherwise.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { type Teardown } from './gateway.js'

/** What it says to a request: a port to tunnel to, bytes to answer before it closes, or nothing at all. */
export type ProxyAct =
  | { readonly tunnel: number }
  | { readonly say: string; readonly stays?: true }
  | { readonly silent: true }

export class ScriptedProxy {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  act: ProxyAct
  /** Heads of requests to the proxy itself. */
  readonly heads: string[] = []

  private constructor(act: ProxyAct) {
    this.act = act
    this.#server = createServer((socket) => this.#accept(socket))
  }

  static async listen(t: Teardown, act: ProxyAct): Promise<ScriptedProxy> {
    const proxy = new ScriptedProxy(act)
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    t.teardown(() => {
      proxy.cutAll()
      proxy.#server.close()
    })
    return proxy
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** The same with credentials. */
  get urlWithCredentials(): string {
    return this.url.replace('//', '//corp:p%40ss-canary@')
  }

  get open(): number {
    return this.#sockets.size
  }

  cutAll(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  #accept(socket: Socket): void {
    this.#track(socket)
    let head = ''
    const take = (bytes: Buffer): void => {
      head += bytes.toString('latin1')
      const end = head.indexOf('\r\n\r\n')
      if (end < 0) return
      socket.off('data', take)
      this.heads.push(head.slice(0, end))
      const { act } = this
      if ('tunnel' in act) this.#tunnel(socket, act.tunnel)
      else if ('say' in act) {
        socket.write(Buffer.from(act.say, 'latin1'))
        if (act.stays !== true) socket.end()
      }
    }
    socket.on('data', take)
  }

  #tunnel(socket: Socket, port: number): void {
    const far = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\nvia: test\r\n\r\n')
      socket.pipe(far).pipe(socket)
    })
    this.#track(far)
    far.on('close', () => socket.destroy())
    socket.on('close', () => far.destroy())
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => this.#sockets.delete(socket))
  }
}
