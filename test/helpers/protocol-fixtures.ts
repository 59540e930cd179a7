// The recordings below test/fixtures/<protocol>/, as the laws see them: whatever protocols and files there are.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { type ResponseMeta, type StreamEvent } from '../../src/model/event.js'
import { type Target } from '../../src/model/target.js'
import { type Dialect, type Surface } from '../../src/protocols/contract/protocol.js'
import { PROTOCOLS } from '../../src/protocols/index.js'
import { createFrameScanner } from '../../src/wire/frame.js'
import { fakeTarget } from './fake-protocol.js'

const REPOSITORY = new URL('../../../', import.meta.url)
const FIXTURES = new URL('test/fixtures/', REPOSITORY)

export const SURFACES: readonly Surface[] = PROTOCOLS.flatMap((one) => (one.surface === null ? [] : [one.surface]))
/** Surfaces whose wire only clients speak. */
export const CLIENT_SURFACES: readonly Surface[] = PROTOCOLS.flatMap(({ surface, dialect }) =>
  surface === null || dialect !== null ? [] : [surface],
)
export const DIALECTS: readonly Dialect[] = PROTOCOLS.flatMap((one) => (one.dialect === null ? [] : [one.dialect]))

/** Folders below src/protocols: the laws must run over each of them, so that they cannot hold vacuously. */
export const PROTOCOL_FOLDERS = readdirSync(new URL('src/protocols/', REPOSITORY), { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && existsSync(new URL(`src/protocols/${entry.name}/index.ts`, REPOSITORY)))
  .map(({ name }) => name)

/** Bodies that a surface must have recorded: a wire that only clients speak has no vendor to differ from itself. */
export function minRequests(surface: Surface): number {
  return CLIENT_SURFACES.includes(surface) ? 2 : 5
}

export type Fixture = { readonly name: string; readonly bytes: Buffer }

/** All fixtures of one kind of a protocol, in the order of their names; `name` is without the ending. */
export function readFixtures(protocol: string, kind: 'requests' | 'streams' | 'responses' | 'errors'): Fixture[] {
  const folder = new URL(`${protocol}/${kind}/`, FIXTURES)
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .sort()
    .map((file) => ({ name: file.replace(/\.\w+$/, ''), bytes: readFileSync(new URL(file, folder)) }))
}

export const FALLBACK: ResponseMeta = { id: 'fallback', model: 'shown', createdSec: 1_700_000_000, usage: null }

/** The vendor that a recording is of: one that ends as this stream does, and else has no quirks. */
export function targetFor(dialect: Dialect, stream: Buffer): Target {
  const target = fakeTarget(dialect.id)
  return { ...target, quirks: { ...target.quirks, doneMarker: stream.includes('[DONE]') } }
}

/** Frames of a stream that came in these chunks. */
export function scanPayloads(framing: Dialect['framing'], chunks: readonly Buffer[]): string[] {
  const payloads: string[] = []
  const scanner = createFrameScanner(framing, (payload) => {
    if (payload.length > 0) payloads.push(payload.toString('latin1'))
  })
  for (const chunk of chunks) scanner.push(chunk)
  scanner.end()
  return payloads
}

/** Events of a stream that came in these chunks. */
export function decodeChunks(dialect: Dialect, target: Target, chunks: readonly Buffer[]): StreamEvent[] {
  const events: StreamEvent[] = []
  const decoder = dialect.createDecoder((event) => events.push(event), { fallback: FALLBACK, target })
  const scanner = createFrameScanner(dialect.framing, (payload) => {
    if (payload.length > 0) decoder.push(payload)
  })
  for (const chunk of chunks) scanner.push(chunk)
  scanner.end()
  decoder.end()
  return events
}
