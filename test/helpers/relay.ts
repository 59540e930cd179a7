// A relay by itself: an outlet that writes down what it is told, and the bytes of a fixture in any cuts.
import { type ErrorData } from '../../src/model/error.js'
import { type Relay, type RelayOptions, type RelayOutlet, type WholeKind } from '../../src/pipeline/relay/types.js'
import { PROTOCOLS } from '../../src/protocols/index.js'
import { fakeTarget } from './fake-protocol.js'
import { surfaceOf, type Wire } from './pipeline-wires.js'
import { FALLBACK } from './protocol-fixtures.js'

export class FakeOutlet implements RelayOutlet {
  readonly told: string[] = []
  readonly dropped: string[] = []
  text = ''
  body = ''
  /** The frame with the end marker, where it waits. */
  last: string | null = null
  error: ErrorData | null = null

  append(frames: Uint8Array, hasContent: boolean): void {
    this.text += Buffer.from(frames).toString()
    this.#tell(hasContent ? 'content' : 'frames')
  }

  progress(): void {
    this.#tell('progress')
  }

  leftOut(names: readonly string[]): void {
    this.dropped.push(...names)
  }

  complete(last?: Uint8Array): void {
    if (last !== undefined) this.last = Buffer.from(last).toString()
    this.told.push('complete')
  }

  whole(bytes: Uint8Array, kind: WholeKind): void {
    this.body = Buffer.from(bytes).toString()
    this.told.push(kind)
  }

  fail(error: ErrorData): void {
    this.error = error
    this.told.push(`fail ${error.code}`)
  }

  /** Repetitions count as one. */
  #tell(what: string): void {
    if (this.told.at(-1) !== what) this.told.push(what)
  }
}

export function relayOptionsFor(surface: string, wire: Wire, changes: Partial<RelayOptions> = {}) {
  const dialect = PROTOCOLS.find(({ id }) => id === wire)?.dialect
  if (dialect === null || dialect === undefined) throw new Error(`no dialect ${wire}`)
  const outlet = new FakeOutlet()
  const options: RelayOptions = {
    surface: surfaceOf(surface),
    dialect,
    target: fakeTarget(wire),
    outlet,
    fallback: FALLBACK,
    clientStreams: true,
    upstreamStreams: true,
    isDelimited: true,
    includeUsage: false,
    echo: null,
    own: null,
    holdsEnd: false,
    raw: null,
    conceal: (bytes) => bytes,
    maxResponseBytes: 100_000,
    ...changes,
  }
  return { options, outlet }
}

/** Feeds the text in pieces of this size, each in memory of its own, and ends. */
export function feed(relay: Relay, text: string, size = Number.POSITIVE_INFINITY): void {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += size) relay.push(Buffer.from(bytes.subarray(at, at + size)))
  relay.end()
}
