// How streams are kept by one configuration: for whom, how long, with how much memory, and the links to them.
import { needsKeys } from '../../config/resolve/gateway-keys.js'
import { type KeepPolicy } from '../../server/kept/kept-sink.js'
import { LinkTokens } from '../../streams/access/link-token.js'
import { ownerOf } from '../../streams/kept/readable-log.js'
import { type Generation } from '../generation.js'
import { keyOf } from '../jobs.js'
import { type Loop } from '../loop.js'

/** Null if no stream is kept. */
export function keepPolicy(generation: Generation, links: LinkTokens): KeepPolicy | null {
  return generation.config.streams.resume === 'never' ? null : memoryPolicy(generation, links)
}

/** The bounds of a stream that is held, whoever it is held for. */
export function memoryPolicy({ config, kept }: Generation, links: LinkTokens): KeepPolicy {
  const { resume, graceMs, keepMs } = config.streams
  const maxLagBytes = config.server.maxReaderLagBytes
  // A reader of a kept stream may be as late as one of any other.
  const maxStreamBytes = Math.max(config.streams.maxStreamBytes, maxLagBytes)
  const isAlways = resume === 'always'
  return {
    resume: isAlways ? resume : 'ask',
    graceMs,
    keepMs,
    maxStreamBytes,
    maxLagBytes,
    reserve: (key) => kept.open(key.index),
    links,
  }
}

/** The links of streams; one of an owner whose key was removed is dead. */
export function linksOf({ current: { config }, cells, ground }: Loop): LinkTokens {
  const owners = needsKeys(config) ? config.keys.map((key) => key.keySha256) : [ownerOf({ owner: null })]
  const secret = config.streams.tokenSecret ?? Buffer.from(new Uint8Array(cells.linkSecret))
  const { accounts } = ground
  const isAccount = (id: string): boolean => keyOf(config, accounts, id) !== null
  return new LinkTokens({ secret, owners, nowMs: Date.now, ...(accounts === null ? {} : { isAccount }) })
}
