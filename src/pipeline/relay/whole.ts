// Neither side streams: the upstream's JSON is collected, searched for usage, and passed on whole. In the client's own protocol the
// bytes stay unchanged.
import { GatewayError } from '../../errors.js'
import { type FinishReason } from '../../model/event.js'
import { type UsageReport } from '../../model/usage.js'
import { type Dialect } from '../../protocols/contract/protocol.js'
import { isSpace } from '../../wire/json-scan.js'
import { type Meter, type Relay, type RelayOptions, type WholeKind } from './types.js'
import { UpstreamBody } from './upstream-body.js'

const OPENING_BRACE = 0x7b
const CLOSING_BRACE = 0x7d
const NO_ECHO = Object.freeze({})

export class WholeRelay implements Relay, Meter {
  readonly #options: RelayOptions
  readonly #kind: WholeKind
  readonly #body: UpstreamBody
  usage: UsageReport | null = null
  contentBytes = 0
  finish: FinishReason | null = null

  constructor(options: RelayOptions, kind: WholeKind) {
    this.#options = options
    this.#kind = kind
    this.#body = new UpstreamBody(options.maxResponseBytes)
  }

  get meter(): Meter {
    return this
  }

  push(chunk: Buffer): void {
    this.contentBytes += chunk.length
    this.#body.push(chunk)
  }

  /**
   * @throws upstream_malformed if the body is not the text of an object, from brace to brace
   * @throws upstream_cut if the connection ended within it, even at an inner brace
   */
  end(): void {
    const body = this.#body.take()
    const { raw, isDelimited, dialect, outlet, surface } = this.#options
    const isObject = isBraced(body)
    // Of an endpoint it is known that it answers with an object.
    if (raw === null || raw.endpoint !== undefined) {
      if (!isObject) throw new GatewayError('upstream_malformed')
      if (!isDelimited && !isJson(body)) throw new GatewayError('upstream_cut')
    }
    // Audio, images and vectors do not count as text.
    if (!isObject || surface.endpoint?.isText === false) this.contentBytes = 0
    if (isObject) this.#read(body, raw?.endpoint ?? dialect)
    outlet.whole(raw?.conceal(body) ?? body, this.#kindOf(body))
  }

  /** An answer that passes is edited only if it is not what was asked for. */
  #kindOf(body: Buffer): WholeKind {
    const { raw, echo } = this.#options
    const isAsAsked = raw?.endpoint?.embeddings?.isAsAsked?.(body, echo ?? NO_ECHO) ?? true
    return isAsAsked ? this.#kind : 'translate'
  }

  #read(body: Buffer, reader: Pick<Dialect, 'readUsage'> & Partial<Pick<Dialect, 'readFinish'>>): void {
    this.usage = reader.readUsage(body)
    this.finish = reader.readFinish?.(body) ?? null
  }
}

function isBraced(body: Buffer): boolean {
  let first = 0
  let last = body.length - 1
  while (first < last && isSpace(body[first])) first++
  while (last > first && isSpace(body[last])) last--
  return body[first] === OPENING_BRACE && body[last] === CLOSING_BRACE
}

/** Parsed only for this, and only if nothing else distinguishes a complete body from a truncated one, as with HTTP/1.0. */
function isJson(body: Buffer): boolean {
  try {
    JSON.parse(body.toString('utf8'))
    return true
  } catch {
    return false
  }
}
