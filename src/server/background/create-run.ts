// Joins one run of an answer to the pipeline: its request, the sink that nobody reads or the kept stream, and the bell for those who wait.
import { type ClientRequest, type KeyIdentity, type OwnAnswer, type Pipeline } from '../../pipeline/client.js'
import { type Sink } from '../../pipeline/sink.js'
import { type AnswerBell, type Keeping } from '../context.js'
import { AnswerRun, type AnswerRunOptions, CANCELLED } from './answer-run.js'
import { UnreadSink } from './unread-sink.js'

/** What is sent, as far as it is known when it is accepted. */
export type RunRequest = Pick<ClientRequest, 'requestId' | 'surface' | 'body' | 'parameterHeaders' | 'origin'> & {
  /** Its events are kept for those who come for them. */
  readonly isStream: boolean
}

/** What a run gets when it begins. */
export type RunGround = {
  readonly pipeline: Pick<Pipeline, 'start'>
  /** Null: no stream is kept. */
  readonly keeping: Pick<Keeping, 'keep'> | null
  readonly key: KeyIdentity
  /** Monotonic, the pipeline's own. */
  readonly nowMs: number
}

export type CreateRunOptions = Omit<AnswerRunOptions, 'start' | 'stopStream' | 'onChange'> & {
  readonly bell: AnswerBell
  readonly request: RunRequest
  /** May throw: then the run fails. */
  readonly ground: () => RunGround
}

/** A run that has not begun. */
export function createAnswerRun({ bell, request, ground, ...options }: CreateRunOptions): AnswerRun {
  const { requestId, surface, body, parameterHeaders, origin = null, isStream } = request
  let stopStream: () => void = () => undefined
  const start = (own: OwnAnswer): ReturnType<Pipeline['start']> => {
    const { pipeline, keeping, key, nowMs } = ground()
    const asked = { requestId, surface, key, body, parameterHeaders, acceptedAtMs: nowMs, origin, isCounted: true, own }
    const unread: Sink = new UnreadSink()
    if (!isStream || keeping === null) return pipeline.start(asked, unread)
    const kept = keeping.keep(unread, { key, surfaceId: surface.id, requestId, hasIds: false, isLasting: true })
    stopStream = () => kept.stop(CANCELLED.data)
    const handle = pipeline.start(asked, kept)
    kept.hold(handle)
    return handle
  }
  const onChange = (): void => bell.ring(options.record.id)
  return new AnswerRun({ ...options, start, stopStream: () => stopStream(), onChange })
}
