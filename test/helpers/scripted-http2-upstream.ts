// The upstream of `scripted-upstream.ts` over TLS and HTTP/2: each request's stream plays the same script, in frames. A script that
// does not wait for a request is played on the connection, instead of the server's first frame.
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls'
import { type Issued } from './certificates.js'
import {
  ACK,
  DATA,
  END_STREAM,
  type Frame,
  FrameReader,
  frameOf,
  GOAWAY,
  HEADERS,
  MAX_FRAME_BYTES,
  PING,
  RST_STREAM,
  SETTINGS,
  settingsOf,
  WINDOW_UPDATE,
  words,
} from './http2-frames.js'
import { Http2Translation, type Piece } from './http2-translation.js'
import {
  canaryOf,
  type FaultUpstream,
  type Script,
  type SeenRequest,
  type Step,
  withCanary,
} from './scripted-upstream.js'

const INITIAL_WINDOW = 65_535
const INITIAL_WINDOW_SETTING = 4
const WIDEST_WINDOW = 2 ** 31 - 1

export class ScriptedHttp2Upstream implements FaultUpstream {
  readonly #server: Server
  readonly #context: SecureContext
  readonly #sockets = new Set<Socket>()
  readonly #watchers: Array<() => void> = []
  readonly script: Script
  readonly requests: SeenRequest[] = []
  port = 0
  /** Its first word comes when it has a request. */
  isLate = false
  accepted = 0
  /** Requests whose stream the client has reset, or whose connection has gone. */
  closed = 0
  /** Error codes of the streams that the client has reset. */
  readonly resets: number[] = []

  private constructor(script: Script, { cert, key }: Issued) {
    this.script = script
    this.#context = createSecureContext({ cert, key })
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket))
  }

  static async listen(script: Script, issued: Issued, isLate = false): Promise<ScriptedHttp2Upstream> {
    const upstream = new ScriptedHttp2Upstream(script, issued)
    upstream.isLate = isLate
    upstream.#server.listen(0, '127.0.0.1')
    await once(upstream.#server, 'listening')
    upstream.port = (upstream.#server.address() as AddressInfo).port
    return upstream
  }

  async until(isTrue: (upstream: FaultUpstream) => boolean, timeoutMs = 20_000): Promise<void> {
    if (isTrue(this)) return
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('the upstream did not reach the state in time')), timeoutMs)
      this.#watchers.push(() => {
        if (!isTrue(this)) return
        clearTimeout(timer)
        resolve()
      })
    })
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    if (!this.#server.listening) return
    this.#server.close()
    await once(this.#server, 'close')
  }

  #accept(raw: Socket): void {
    this.accepted += 1
    this.#sockets.add(raw)
    const secure = new TLSSocket(raw, { isServer: true, secureContext: this.#context, ALPNProtocols: ['h2'] })
    const connection = new Connection(
      { raw, secure, script: this.script, number: this.accepted, isLate: this.isLate },
      {
        onRequest: (request) => {
          this.requests.push(request)
          this.#changed()
        },
        onGone: (rstCode) => {
          this.closed += 1
          if (rstCode !== null) this.resets.push(rstCode)
          this.#changed()
        },
      },
    )
    secure.on('error', () => undefined)
    raw.on('error', () => undefined)
    raw.on('close', () => {
      this.#sockets.delete(raw)
      connection.end()
      this.#changed()
    })
    secure.once('secure', () => connection.begin())
    this.#changed()
  }

  #changed(): void {
    for (const watch of this.#watchers) watch()
  }
}

type Ends = { readonly onRequest: (request: SeenRequest) => void; readonly onGone: (rstCode: number | null) => void }
type Wires = {
  readonly raw: Socket
  readonly secure: TLSSocket
  readonly script: Script
  readonly number: number
  readonly isLate: boolean
}

class Connection {
  readonly #wires: Wires
  readonly #ends: Ends
  readonly #reader = new FrameReader()
  readonly #streams = new Map<number, Stream>()
  #initialWindow = INITIAL_WINDOW
  #wake: Array<() => void> = []
  #isGreeted = false
  #owesAck = false
  window = INITIAL_WINDOW
  isGone = false

  constructor(wires: Wires, ends: Ends) {
    this.#wires = wires
    this.#ends = ends
  }

  begin(): void {
    const { secure, script } = this.#wires
    if (!script.some((step) => 'wait' in step && step.wait === 'request')) {
      secure.on('end', () => secure.end()).resume()
      void this.#play(new Stream(1, 0))
      return
    }
    if (!this.#wires.isLate) this.#greet()
    secure.on('end', () => secure.end())
    secure.on('data', (bytes: Buffer) => {
      for (const frame of this.#reader.push(bytes)) this.#take(frame)
    })
  }

  #greet(): void {
    const { secure } = this.#wires
    this.#isGreeted = true
    secure.write(settingsOf([[INITIAL_WINDOW_SETTING, WIDEST_WINDOW]]))
    secure.write(frameOf(WINDOW_UPDATE, 0, 0, words(WIDEST_WINDOW - INITIAL_WINDOW)))
    if (this.#owesAck) secure.write(frameOf(SETTINGS, ACK, 0))
  }

  end(): void {
    this.isGone = true
    for (const stream of this.#streams.values()) this.#gone(stream, null)
    this.#wakeAll()
  }

  #take(frame: Frame): void {
    const { secure } = this.#wires
    if (frame.type === SETTINGS && (frame.flags & ACK) === 0) {
      for (let at = 0; at + 6 <= frame.payload.length; at += 6) {
        if (frame.payload.readUInt16BE(at) === INITIAL_WINDOW_SETTING)
          this.#initialWindow = frame.payload.readUInt32BE(at + 2)
      }
      // The first frame of a server is its own SETTINGS.
      if (this.#isGreeted) secure.write(frameOf(SETTINGS, ACK, 0))
      else this.#owesAck = true
    } else if (frame.type === PING && (frame.flags & ACK) === 0) secure.write(frameOf(PING, ACK, 0, frame.payload))
    else if (frame.type === WINDOW_UPDATE) this.#widen(frame)
    else if (frame.type === RST_STREAM) {
      const stream = this.#streams.get(frame.stream)
      if (stream !== undefined) this.#gone(stream, frame.payload.readUInt32BE(0))
    } else if (frame.type === HEADERS || frame.type === DATA) this.#hear(frame)
  }

  #widen({ stream, payload }: Frame): void {
    const increment = payload.readUInt32BE(0)
    if (stream === 0) this.window += increment
    else {
      const one = this.#streams.get(stream)
      if (one !== undefined) one.window += increment
    }
    this.#wakeAll()
  }

  #hear(frame: Frame): void {
    let stream = this.#streams.get(frame.stream)
    if (stream === undefined) {
      stream = new Stream(frame.stream, this.#initialWindow)
      this.#streams.set(frame.stream, stream)
    }
    if (frame.type === DATA) stream.body.push(frame.payload)
    if ((frame.flags & END_STREAM) === 0) return
    if (!this.#isGreeted) this.#greet()
    const body = Buffer.concat(stream.body)
    stream.canary = canaryOf(body.toString('latin1'))
    this.#ends.onRequest({ head: '', body, connection: this.#wires.number })
    void this.#play(stream)
  }

  /** It is counted once. */
  #gone(stream: Stream, rstCode: number | null): void {
    if (stream.isGone) return
    stream.isGone = true
    this.#streams.delete(stream.id)
    this.#ends.onGone(rstCode)
    this.#wakeAll()
  }

  async #play(stream: Stream): Promise<void> {
    for (const step of this.#wires.script) {
      if (this.isGone || stream.isGone) return
      await this.#run(stream, step)
    }
  }

  async #run(stream: Stream, step: Step): Promise<void> {
    const { raw, secure } = this.#wires
    const { translation } = stream
    if ('send' in step) await this.#send(stream, translation.write(withCanary(step.send, stream.canary)))
    else if ('frames' in step) await this.#write(step.frames(stream.id))
    else if ('delayMs' in step) await delay(step.delayMs)
    else if ('drip' in step) await this.#drip(stream, step)
    else if ('stop' in step) secure.pause()
    else if ('stall' in step) while (!this.isGone && !stream.isGone) await this.#change()
    else if ('end' in step) {
      if (step.end === 'fin' && translation.endsWithConnection) return this.#send(stream, translation.end())
      await this.#send(stream, translation.cut())
      if (step.end === 'rst') raw.resetAndDestroy()
      else {
        if (translation.isOver) await this.#write(frameOf(GOAWAY, 0, 0, words(stream.id, 0)))
        secure.end()
      }
    }
  }

  async #drip(stream: Stream, { drip, everyMs, size = 1 }: Extract<Step, { readonly drip: string }>): Promise<void> {
    const pieces = stream.translation.write(withCanary(drip, stream.canary))
    const bytes = Buffer.concat(
      pieces.map((piece) =>
        'bytes' in piece ? piece.bytes : frameOf(DATA, piece.isEnd ? END_STREAM : 0, stream.id, piece.data),
      ),
    )
    for (let at = 0; at < bytes.length && !this.isGone; at += size) {
      // No frame may end within itself: the connection has other streams.
      if (stream.isGone) return this.#write(bytes.subarray(at))
      await this.#write(bytes.subarray(at, at + size))
      await delay(everyMs)
    }
  }

  async #send(stream: Stream, pieces: readonly Piece[]): Promise<void> {
    for (const piece of pieces) {
      if ('bytes' in piece) await this.#write(piece.bytes)
      else await this.#sendData(stream, piece.data, piece.isEnd)
    }
  }

  /** As much at a time as both windows and a frame allow. */
  async #sendData(stream: Stream, data: Buffer, isEnd: boolean): Promise<void> {
    let at = 0
    do {
      const room = Math.min(this.window, stream.window, MAX_FRAME_BYTES)
      const part = data.subarray(at, at + Math.max(room, 0))
      if (part.length === 0 && at < data.length) await this.#change()
      else {
        at += part.length
        this.window -= part.length
        stream.window -= part.length
        const isLast = at === data.length
        await this.#write(frameOf(DATA, isLast && isEnd ? END_STREAM : 0, stream.id, part))
      }
    } while (at < data.length && !this.isGone && !stream.isGone)
  }

  async #write(bytes: Uint8Array): Promise<void> {
    if (this.isGone) return
    let isWritten = false
    this.#wires.secure.write(bytes, () => {
      isWritten = true
      this.#wakeAll()
    })
    while (!isWritten && !this.isGone) await this.#change()
  }

  #change(): Promise<void> {
    return new Promise((wake) => this.#wake.push(wake))
  }

  #wakeAll(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }
}

/** One request and its answer. */
class Stream {
  readonly id: number
  readonly translation: Http2Translation
  readonly body: Buffer[] = []
  window: number
  canary: string | null = null
  isGone = false

  constructor(id: number, window: number) {
    this.id = id
    this.window = window
    this.translation = new Http2Translation(id)
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
