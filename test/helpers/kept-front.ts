// A front end that serves kept streams: keys `a` and `b`, a registry whose time is moved by hand, and streams that the test writes.

import { LinkTokens } from '../../src/streams/access/link-token.js'
import { type KeptStream } from '../../src/streams/kept/kept-stream.js'
import { type KeptFacts } from '../../src/streams/kept/readable-log.js'
import { type OpenOptions } from '../../src/streams/kept/registry.js'
import { type Script } from './fake-pipeline.js'
import { type FrontOptions, type RunningFront, startFront } from './front.js'
import { createKeptStreams } from './kept.js'

type Teardown = Parameters<typeof startFront>[0]

/** Seconds of the links' clock when the front starts. */
const START_MS = 1_795_216_274_000

export type KeptFront = RunningFront &
  ReturnType<typeof createKeptStreams> & {
    /** Of links. */
    readonly clock: { nowMs: number }
    /** A stream of key `a` on the surface of the front. */
    begin(facts?: Partial<Omit<KeptFacts, 'id'>>, options?: Partial<OpenOptions>): KeptStream
    /** `key`: null for none. */
    ask(
      path: string,
      options?: { method?: string; key?: string | null; headers?: Record<string, string> },
    ): Promise<Told>
  }

export type Told = { readonly status: number; readonly text: string; readonly headers: Headers }

export async function startKeptFront(
  t: Teardown,
  { script, config, options }: FrontOptions & { readonly script?: Script } = {},
): Promise<KeptFront> {
  const kept = createKeptStreams()
  const clock = { nowMs: START_MS }
  const links = new LinkTokens({ secret: 'a secret of this test', owners: ['a', 'b'], nowMs: () => clock.nowMs })
  const keep = {
    ...{ resume: 'ask' as const, graceMs: 1000, keepMs: 5000, maxStreamBytes: 1024 * 1024, maxLagBytes: 256 * 1024 },
    ...{ reserve: () => kept.budget.open(), links },
  }
  const front = await startFront(t, {
    ...(script === undefined ? {} : { script }),
    ...(config === undefined ? {} : { config }),
    options: { keptStreams: kept.streams, keep, ...options },
  })
  front.pipeline.keys = ['a', 'b']
  return {
    ...front,
    ...kept,
    clock,
    begin(facts = {}, opening = {}) {
      const stream = kept.open({ owner: 'a', surfaceId: 'fake', ...facts }, opening)
      if (stream === null) throw new Error('no room')
      return stream
    },
    async ask(path, { method = 'GET', key = 'a', headers = {} } = {}) {
      const credentials: Record<string, string> = key === null ? {} : { authorization: `Bearer ${key}` }
      const answer = await fetch(front.url + path, { method, headers: { ...credentials, ...headers } })
      return { status: answer.status, text: await answer.text(), headers: answer.headers }
    },
  }
}

/** The path and query in a `link` header. */
export function linkIn(headers: Headers): string {
  return /^<([^>]+)>; rel="self"$/.exec(headers.get('link') ?? '')?.[1] ?? ''
}
