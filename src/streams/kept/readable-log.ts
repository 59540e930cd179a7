// A kept stream as its readers see it, wherever it lives: on this event loop, on another one, on another node. Types, and whose it is.
import { GatewayError } from '../../errors.js'
import { type FrameReader, type StreamEnd } from '../reader.js'

/** How a reader came: with the request itself, with a cursor, as its retry, by an equal request, or after the end. */
export type ReaderHow = 'first' | 'resume' | 'retry' | 'follower' | 'replay'

/** What is known about a kept stream beside its frames. Plain JSON. */
export type KeptFacts = {
  readonly id: string
  /** @see ownerOf */
  readonly owner: string
  readonly surfaceId: string
  readonly requestId: string
  readonly framing: 'sse' | 'ndjson'
  readonly contentType: string
  /** Of the first answer, without the id of the stream and what was true only then. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** The traceparent of the request whose answer it is; absent if that one was not traced. */
  readonly trace?: string
}

export type AttachOptions = {
  readonly how: ReaderHow
  /** Number of the first frame to read. */
  readonly offset: number
  /** Called at most once per tick while there is something new. Must not throw. */
  readonly onReadable: () => void
  /** The stream was silent for long: something should be written to the client, so that no proxy takes it for dead. */
  readonly onKeepalive?: () => void
  /** The client knows how to come back: where another node has the stream, it may be sent there. */
  readonly canReturn?: boolean
  /** It wants no number of a single frame, so that it may get several frames at once. */
  readonly takesRuns?: boolean
}

/** A client has one connection to its stream, and for a while those that were lost and not found so; each holds some memory. */
export const MAX_READERS = 64

/** A place is free as soon as one of them has left, or is found lost. */
export const CROWDED = GatewayError.shared('rate_limited', {
  message: `This stream has ${MAX_READERS} readers, which is as many as it may have.`,
  retryAfterMs: 1000,
})

/** A kept stream as its readers see it, wherever it lives. */
export type ReadableLog = {
  readonly facts: KeptFacts
  /** Number of the oldest frame held. */
  readonly first: number
  /** Number that the next frame gets; after a failure, the number of the error frame. */
  readonly next: number
  /** Null while it is open. */
  readonly streamEnd: StreamEnd | null
  /** It has as many readers as it may have: no client that comes back is let in. */
  readonly isCrowded: boolean
  /** Joins at a number. The reader is cut if that frame is no longer held: missing frames are never skipped silently. */
  attach(options: AttachOptions): FrameReader
  /** Ends an open stream and its upstream; forgets one that has ended. */
  cancel(): void
}

/** Whose a stream is: the owner of the gateway key, which survives its name; the same for all on a gateway without keys. */
export function ownerOf({ owner }: { readonly owner: string | null }): string {
  return owner ?? ''
}
