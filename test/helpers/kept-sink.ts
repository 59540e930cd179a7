// A kept sink in front of a client that writes down what it gets, over a registry whose time is moved by hand.
import { type HeaderList, type Sink, type StreamFormat } from '../../src/pipeline/sink.js'
import { type HoldingSink, type Keeping } from '../../src/server/context.js'
import { createKeeping, type KeepPolicy } from '../../src/server/kept/kept-sink.js'
import { LinkTokens } from '../../src/streams/access/link-token.js'
import { type KeptStream } from '../../src/streams/kept/kept-stream.js'
import { createKeptStreams } from './kept.js'

export const FORMAT: StreamFormat = {
  keepaliveFrame: ': ping\n',
  encodeErrorFrame: (error) => `data: {"error":"${error.code}"}\n\n`,
}

export type KeptRig = ReturnType<typeof createKeptStreams> & {
  readonly keeping: Keeping
  /** The stream whose id these headers bear. */
  streamOf(headers: HeaderList): KeptStream
  wrap(sink: Sink, hasIds?: boolean): HoldingSink
}

export function createKeptRig({ maxBytes, ...changes }: Partial<KeepPolicy> & { maxBytes?: number } = {}): KeptRig {
  const rig = createKeptStreams(maxBytes === undefined ? {} : { maxBytes })
  const policy: KeepPolicy = {
    resume: 'ask',
    graceMs: 1000,
    keepMs: 5000,
    maxStreamBytes: 1024 * 1024,
    maxLagBytes: 256 * 1024,
    reserve: () => rig.budget.open(),
    links: new LinkTokens({ secret: 'a secret of this test', owners: ['owner-1'], nowMs: () => 0 }),
    ...changes,
  }
  const keeping = createKeeping(rig.streams, policy)
  const key = { index: 0, name: 'team-a', owner: 'owner-1' }
  return {
    ...rig,
    keeping,
    streamOf(headers) {
      const id = headers.find(([name]) => name === 'x-sluice-stream')?.[1] ?? ''
      const stream = rig.streams.find(id, 'owner-1')
      if (stream === null) throw new Error(`no stream ${id}`)
      return stream
    },
    wrap: (sink, hasIds = true) => keeping.keep(sink, { key, surfaceId: 'fake', requestId: 'req-1', hasIds }),
  }
}
