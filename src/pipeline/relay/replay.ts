// The client streams, the upstream answered whole (some servers ignore `stream`): the answer is decoded at its end and replayed as
// events, so that the client still gets a stream.
import { GatewayError } from '../../errors.js'
import { type FinishReason } from '../../model/event.js'
import { isJsonObject, type JsonObject } from '../../model/json.js'
import { eventsOf } from '../../model/replay.js'
import { type UsageReport } from '../../model/usage.js'
import { fitAnswer } from '../../protocols/fit/answer.js'
import { type Meter, type Relay, type RelayOptions } from './types.js'
import { UpstreamBody } from './upstream-body.js'

export class ReplayRelay implements Relay, Meter {
  readonly #options: RelayOptions
  readonly #body: UpstreamBody
  usage: UsageReport | null = null
  contentBytes = 0
  finish: FinishReason | null = null

  constructor(options: RelayOptions) {
    this.#options = options
    this.#body = new UpstreamBody(options.maxResponseBytes)
  }

  get meter(): Meter {
    return this
  }

  push(chunk: Buffer): void {
    this.#body.push(chunk)
  }

  end(): void {
    const { surface, dialect, target, fallback, outlet, conceal, holdsEnd } = this.#options
    const decoded = dialect.decodeResponse(parseBody(this.#body.take()), fallback, target)
    const { response, dropped } = fitAnswer(decoded, surface.hasPlaceFor)
    if (dropped.length > 0) outlet.leftOut(dropped)
    let text = ''
    let last = ''
    const encoder = surface.createEncoder((frame) => {
      text += last
      last = frame
    }, this.#options)
    for (const event of eventsOf(response)) {
      if (event.type === 'block-delta') this.contentBytes += event.delta.length
      encoder.push(event)
    }
    this.usage = response.usage
    this.finish = response.finishReason
    if (!holdsEnd) text += last
    outlet.append(conceal(Buffer.from(text)), true)
    outlet.complete(holdsEnd ? conceal(Buffer.from(last)) : undefined)
  }
}

function parseBody(body: Buffer): JsonObject {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'))
    if (isJsonObject(value)) return value
  } catch {
    // Falls through to the error below, which does not contain the upstream's text.
  }
  throw new GatewayError('upstream_malformed')
}
