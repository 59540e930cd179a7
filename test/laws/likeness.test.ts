// A decoder may leave out the parser for a frame that is like one before it (wire/frame-shape.ts). Its events must be those of the
// parser: over every recorded stream, and for frames that differ from the one before them in any way. protocols.test.ts sees the law fail.
import fc from 'fast-check'
import { test } from 'tap'
import { type JsonValue } from '../../src/model/json.js'
import { assertHolds, type Edit, edited, edits, type Spoil, spoiled, spoils } from '../helpers/fuzz.js'
import { DIALECTS, readFixtures, scanPayloads } from '../helpers/protocol-fixtures.js'
import { findLikeness, isReadAlike } from '../helpers/protocol-laws.js'

type Twins = [which: number, place: number, changes: Edit[], spoil: Spoil[]]

for (const dialect of DIALECTS) {
  const streams = readFixtures(dialect.id, 'streams').map((recording) => ({
    ...recording,
    payloads: scanPayloads(dialect.framing, [recording.bytes]),
  }))

  test(`${dialect.id}: a frame is decoded to the same events whether it is like those before it or not`, async (t) => {
    for (const recording of streams) t.same(findLikeness(dialect, recording), [])
  })

  test(`${dialect.id}: a frame that differs anyhow from the one before it is decoded as it is`, async () => {
    const inputs = fc.tuple(fc.nat(streams.length - 1), fc.nat(20), edits(2), spoils())
    assertHolds({ name: `likeness-${dialect.id}`, inputs, thin: 2 }, ([which, place, changes, spoil]: Twins) => {
      const { bytes, payloads } = streams[which] ?? { bytes: Buffer.alloc(0), payloads: [] }
      const at = place % payloads.length
      const frame = payloads[at] ?? ''
      const twins = [frame, editedFrame(frame, changes), frame, frame, spoiledFrame(frame, spoil)]
      return isReadAlike(dialect, bytes, [...payloads.slice(0, at), ...twins, ...payloads.slice(at)])
    })
  })
}

/** Frames are bytes, one character each. */
function editedFrame(frame: string, changes: readonly Edit[]): string {
  if (!frame.startsWith('{')) return frame
  const tree = JSON.parse(Buffer.from(frame, 'latin1').toString()) as JsonValue
  return Buffer.from(JSON.stringify(edited(tree, changes))).toString('latin1')
}

function spoiledFrame(frame: string, spoil: readonly Spoil[]): string {
  return spoiled(Buffer.from(frame, 'latin1'), spoil).toString('latin1')
}
