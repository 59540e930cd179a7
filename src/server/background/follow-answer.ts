// Sends the events of an answer that has not begun: at once those that say that it waits, then those of its stream from its beginning. The
// run may be on this event loop, on another one or on another node, so it is looked for in the store, which knows its stream before any
// client can have had an event of it.
import { errorData } from '../../errors.js'
import { NO_USAGE } from '../../model/usage.js'
import { type StreamFormat } from '../../pipeline/sink.js'
import { type Surface } from '../../protocols/contract/protocol.js'
import { type StoredAnswers } from '../../protocols/contract/stored.js'
import { type StoredResponse } from '../../responses/store.js'
import { type ReadableLog } from '../../streams/kept/readable-log.js'
import { type StreamEnd } from '../../streams/reader.js'
import { type AnswerBell } from '../context.js'
import { type HttpExchange } from '../http/http.js'
import { SequenceReader } from '../kept/sequence-reader.js'
import { WaitingReader } from './waiting-reader.js'

export type Following = {
  readonly exchange: HttpExchange
  readonly surface: Surface
  readonly stored: StoredAnswers
  readonly found: Pick<StoredResponse, 'id' | 'owner' | 'response'>
  /** The number of the last event that the client has; -1 for none. */
  readonly after: number
  readonly bell: AnswerBell
}

/** How often it is looked for, at first and after a while: the wait for an event grows with the wait for the run. */
const FIRST_LOOK_MS = 50
const LAST_LOOK_MS = 1000
const GROWTH = 1.25
const COMPLETE: StreamEnd = Object.freeze({
  outcome: 'complete',
  error: null,
  usage: NO_USAGE,
  usageSource: 'estimated',
})
const DELETED: StreamEnd = Object.freeze({
  ...COMPLETE,
  outcome: 'client_gone',
  error: errorData('client_gone', { message: 'The response was deleted.' }),
})

/** Begins the stream of the client; the rest comes by itself. */
export function followAnswer(following: Following): void {
  const { exchange, surface, stored, found, after } = following
  if (exchange.isOver) return
  const { clientSink: sink, view } = exchange
  let log: ReadableLog | null = null
  const format: StreamFormat = {
    keepaliveFrame: surface.keepaliveFrame,
    encodeErrorFrame: (error) => log?.streamEnd?.errorFrame ?? surface.encodeErrorFrame(error, found.id, true),
  }
  sink.begin({ headers: [], contentType: 'text/event-stream; charset=utf-8', transport: 'sse' }, format)
  const first = stored.firstFrames(found.response)
  const missing = first.slice(after + 1)
  // Nothing to read yet: the client gets the head all the same.
  if (missing.length === 0) sink.keepalive()
  sink.follow(
    (onReadable) => {
      const reader = new WaitingReader(missing, onReadable)
      const join = (kept: ReadableLog): void => {
        log = kept
        const onKeepalive = (): void => sink.keepalive()
        const attached = kept.attach({ how: 'first', offset: kept.first, onReadable, onKeepalive })
        reader.join(new SequenceReader(attached, stored.sequenceOf, Math.max(after, first.length - 1)))
      }
      void pursue({ ...following, reader, join })
      return reader
    },
    ({ result }) => view.keeping?.counters.streamReader('first', result),
  )
}

type Pursuit = Following & { readonly reader: WaitingReader; readonly join: (log: ReadableLog) => void }

/** Looks for the stream until it is there, or cannot come any more. Never rejects. */
async function pursue({ exchange, stored, found, bell, reader, join }: Pursuit): Promise<void> {
  const { clientSink: sink, view } = exchange
  const { id, owner } = found
  let lookMs = FIRST_LOOK_MS
  let silentMs = 0
  while (!reader.isDetached) {
    // Before it looks: what happens meanwhile must not be missed.
    const rung = ringOrTime(bell, id, lookMs)
    try {
      const now = (await view.responses.desk?.get(owner, id)) ?? null
      if (now === null) return reader.finish([], DELETED)
      const log = now.streamId === null ? null : ((await view.keeping?.reach(now.streamId, owner)) ?? null)
      if (log !== null) return join(log)
      if (now.phase === 'over') return reader.finish(stored.lastFrames(now.response), COMPLETE)
    } catch {
      // The store, or that of the streams, is unavailable: it may come back before the client gives up.
    }
    await rung
    silentMs += lookMs
    if (silentMs >= view.keepaliveMs && !reader.isDetached) {
      sink.keepalive()
      silentMs = 0
    }
    lookMs = Math.min(lookMs * GROWTH, LAST_LOOK_MS)
  }
}

function ringOrTime(bell: AnswerBell, id: string, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(end, ms)
    const callOff = bell.wait(id, end)
    function end(): void {
      clearTimeout(timer)
      callOff()
      resolve()
    }
  })
}
