// The end of a stream that passes unchanged, written by the gateway because the stream may cost no more: the client's own encoder writes what
// the provider would have written at its cap on the output. It is fed with what has passed, and only its end is used.

import { isJsonArray, type JsonValue } from '../../../model/json.js'
import { type Usage } from '../../../model/usage.js'
import { createFrameScanner } from '../../../wire/frame.js'
import { endOf, OpenBlock } from '../../relay/transcode.js'
import { type RelayOptions } from '../../relay/types.js'

/** What must be known of a stream that is about to be closed. */
export type ClosingOptions = Pick<
  RelayOptions,
  'surface' | 'dialect' | 'target' | 'fallback' | 'includeUsage' | 'echo' | 'own'
> &
  Pick<RelayOptions, 'elapsedMs'>

/** The frames of the end. `passed`: whole frames as the client got them, all of them where the surface depends on them. */
export function closingFrames(options: ClosingOptions, passed: readonly Uint8Array[], usage: Usage): string[] {
  const { surface, dialect, target, fallback } = options
  let frames: string[] = []
  const encoder = surface.createEncoder((frame) => frames.push(frame), options)
  const blocks = new OpenBlock()
  const decoder = dialect.createDecoder(
    (event) => {
      if (event.type === 'finish' || event.type === 'error') return
      blocks.note(event)
      encoder.push(event)
    },
    { fallback, target },
  )
  const bytes = Buffer.concat(passed)
  if (surface.framing === 'json') for (const payload of payloadsOf(bytes)) decoder.push(Buffer.from(payload))
  else {
    const scanner = createFrameScanner(dialect.framing, (payload) => {
      if (payload.length > 0) decoder.push(payload)
    })
    scanner.push(bytes)
  }
  frames = []
  for (const event of endOf(blocks, usage)) encoder.push(event)
  return frames
}

/** The members of an array, or of a part of one: `[{...}`, or `,{...},{...}`. */
function payloadsOf(bytes: Buffer): string[] {
  const text = bytes.toString('utf8').trim().replace(/^[[,]/, '')
  const members = JSON.parse(`[${text}]`) as JsonValue
  return isJsonArray(members) ? members.map((member) => JSON.stringify(member)) : []
}
