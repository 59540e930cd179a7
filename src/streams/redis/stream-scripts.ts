// The scripts of kept streams, from resources/lua/streams, with their arguments and replies as they are on the wire. ground.lua lists
// the keys; each script documents what it takes and returns.
import { readScript } from '../../redis/read-script.js'
import { type Page, type StoredBatch } from './stored-reader.js'
import { type Batch } from './stream-writer.js'

/** Each is atomic in Redis; they are loaded in this order. */
const STREAM_SCRIPTS = ['append', 'read', 'find', 'attach', 'detach', 'cancel', 'beat'] as const

export type StreamScript = (typeof STREAM_SCRIPTS)[number]

/** Before all keys and channels; the hash tag keeps them together. */
export const STREAM_PREFIX = '{sluice}:streams:'

/** The texts of all scripts, each with the part that they share. */
export function readStreamScripts(): ReadonlyMap<StreamScript, string> {
  return new Map(STREAM_SCRIPTS.map((name) => [name, readScript(['streams/ground', `streams/${name}`])]))
}

/** What append.lua takes for one log. */
export function appendArgs({ writer, first, from, frames, origin, ending }: Batch): (string | number | Buffer)[] {
  const lengths = frames.map((frame) => frame.length).join(' ')
  return [
    ...[writer.id, writer.factsToTell, first, from],
    ...[lengths, Buffer.concat(frames), ending, writer.keepMs, origin],
  ]
}

/** What append.lua returns for each log: the number of the next frame to store, or the text of a refusal. */
export function readAppended(reply: unknown): (number | string)[] {
  return (reply as (number | Buffer)[]).map((each) => (typeof each === 'number' ? each : String(each)))
}

type PageReply = readonly [first: Buffer, next: Buffer, ending: Buffer, batches: readonly EntryReply[]]
type EntryReply = readonly [id: Buffer, fields: readonly Buffer[]]

/** What read.lua returns for each log. */
export function readPages(reply: unknown): (Page | null)[] {
  return (reply as (PageReply | null)[]).map((page) => {
    if (page === null) return null
    const [first, next, ending, batches] = page
    return { first: Number(first), next: Number(next), ending: String(ending), batches: batches.map(batchOf) }
  })
}

/** Fields are listed as names and values in turn, in the order in which append.lua wrote them. */
function batchOf([, [, from, , lengths, , bytes = EMPTY]]: EntryReply): StoredBatch {
  return { from: Number(from), lengths: String(lengths).split(' ').map(Number), bytes }
}

const EMPTY = Buffer.alloc(0)
