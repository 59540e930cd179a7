// The messages between two event loops of a process about kept streams: one of them holds streams, the other has readers of them.
// Plain data; the bytes of frames are moved, not copied.
import { type StreamEnd } from '../reader.js'
import { type KeptFacts, type ReaderHow } from './readable-log.js'

/** A stream as it was when it was looked at. */
export type SeenLog = {
  readonly facts: KeptFacts
  readonly first: number
  readonly next: number
  readonly streamEnd: StreamEnd | null
  readonly isCrowded: boolean
}

/** To the loop that holds the streams. Readers have numbers of the sender's choice. */
export type ToHolder =
  | { readonly type: 'look'; readonly ask: number; readonly id: string; readonly owner: string }
  | {
      readonly type: 'attach'
      readonly reader: number
      readonly id: string
      readonly owner: string
      readonly how: ReaderHow
      readonly offset: number
      readonly canReturn: boolean
    }
  /** So many bytes were read, so as many more may be sent. */
  | { readonly type: 'took'; readonly reader: number; readonly bytes: number }
  | { readonly type: 'detach'; readonly reader: number }
  | { readonly type: 'cancel'; readonly id: string; readonly owner: string }
  /** A stream of the sender copies this one, and is to be found on other nodes. */
  | { readonly type: 'store'; readonly id: string; readonly owner: string }

/** To the loop that has the readers. */
export type ToReader =
  | { readonly type: 'seen'; readonly ask: number; readonly log: SeenLog | null }
  /** Frames that follow each other: where each ends in `bytes`. */
  | { readonly type: 'frames'; readonly reader: number; readonly ends: readonly number[]; readonly bytes: Uint8Array }
  | { readonly type: 'keepalive'; readonly reader: number }
  | { readonly type: 'cut'; readonly reader: number; readonly isMoved: boolean }
  | { readonly type: 'end'; readonly reader: number; readonly next: number; readonly end: StreamEnd }
