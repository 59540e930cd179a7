// How long does it take to put another model's name into a request, with all that has to be known of it first? By size of the
// body. Beside it: writing the parsed body anew.
import { parseRequestBody, scanMembers, spliceMembers } from '../../src/wire/body/members.js'
import { measure, printTable } from './measure.js'

const KB = 1024
const edits = new Map([['model', 'large-2026-01-01']])
const written = { bytes: 0 }

function bodyOf(bytes: number): Uint8Array<ArrayBuffer> {
  const content = 'word '.repeat(bytes / 5)
  const body = { model: 'north/large', stream: true, max_tokens: 64, messages: [{ role: 'user', content }] }
  return new Uint8Array(Buffer.from(JSON.stringify(body)))
}

const rows = [KB, 32 * KB, 512 * KB].flatMap((bytes) => {
  const body = bodyOf(bytes)
  const { json, members } = parseRequestBody(body)
  return [
    measure(`${bytes / KB} KB: find members`, () => {
      written.bytes += scanMembers(body)?.length ?? 0
    }),
    measure(`${bytes / KB} KB: parse and find members`, () => {
      written.bytes += parseRequestBody(body).members.length
    }),
    measure(`${bytes / KB} KB: splice`, () => {
      written.bytes += spliceMembers(body, members, edits).length
    }),
    measure(`${bytes / KB} KB: JSON.stringify`, () => {
      written.bytes += JSON.stringify({ ...json, model: 'large-2026-01-01' }).length
    }),
  ]
})

printTable('one request', rows)
