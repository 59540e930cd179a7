// How bytes come from a provider's socket to undici's parser: at once, in the callback of the read itself. Node's own way keeps each
// piece in the socket's stream, tells of it a tick later, and takes 64 KiB of fresh memory for it; at a model's pace, where each token
// is a read of its own, that is a quarter of what an event costs. The HTTP is still undici's.
//
//   read into one buffer of all sockets > a copy of what came > 'readable' > undici reads it, all in one call
import { type OnReadOpts, Socket } from 'node:net'

/** Node reads at most so much at once without it, too. */
const READ_BYTES = 64 * 1024

/** What a socket holds for its reader: null outside of a read, the piece that has come, and NOTHING once that is taken. */
type Held = Buffer | typeof NOTHING | null
const NOTHING = Symbol('nothing')
const HELD = Symbol('held')
type EagerSocket = Socket & { [HELD]?: Held }

/** Options of the connection; `readEagerly` completes it. One buffer for all, since what is in it is copied before the next read. */
export const EAGER_READS: { readonly onread: OnReadOpts } = Object.freeze({
  onread: { buffer: Buffer.allocUnsafeSlow(READ_BYTES), callback: takeRead },
})

/** For a socket that was opened with EAGER_READS, before it is handed to undici. */
export function readEagerly(socket: Socket): void {
  const eager: EagerSocket = socket
  eager[HELD] = null
  eager.read = readHeld
}

/** Node calls it as the socket's own. False stops the reading until the socket's stream is read. */
function takeRead(this: unknown, length: number, buffer: Uint8Array): boolean {
  const socket = this as EagerSocket
  const piece = Buffer.allocUnsafe(length)
  piece.set(length === buffer.length ? buffer : buffer.subarray(0, length))
  // What waits in the stream comes first.
  if (socket[HELD] === undefined || socket.readableLength > 0) return socket.push(piece)
  socket[HELD] = piece
  socket.emit('readable')
  const rest = socket[HELD]
  socket[HELD] = null
  return typeof rest === 'symbol' || rest === null || socket.push(rest)
}

function readHeld(this: EagerSocket, size?: number): unknown {
  const held = this[HELD] ?? null
  if (held === null) return Socket.prototype.read.call(this, size)
  this[HELD] = NOTHING
  return typeof held === 'symbol' ? null : held
}
