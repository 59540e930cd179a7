// What does it cost to read a coding agent's request (215 KB), in full and without its bulk, and to put another model's name into it?
import { createCodec } from '../../src/protocols/contract/codec.js'
import { PROTOCOLS } from '../../src/protocols/index.js'
import { scanBody } from '../../src/wire/body/body-scan.js'
import { spliceMembers } from '../../src/wire/body/members.js'
import { parseJsonBody } from '../../src/wire/json.js'
import { agentMembers } from '../agent-request.js'
import { measure, printTable } from './measure.js'

const codec = createCodec(PROTOCOLS)
const chat = { model: 'north/large', max_tokens: 20, stream: false, ...agentMembers() }
const body = new Uint8Array(Buffer.from(JSON.stringify(chat)))
const { members } = codec.decodeBody('openai-chat', body)
const edits = new Map([['model', 'large-2026-01-01']])
const written = { bytes: 0 }
/** A chat of 20 turns, 8 KB. */
const turn = { role: 'user', content: 'some words of a usual text, "quoted" at times.\n'.repeat(8) }
const small = new Uint8Array(Buffer.from(JSON.stringify({ model: 'm', stream: true, messages: Array(20).fill(turn) })))

printTable(`one request of ${body.length} bytes`, [
  measure('JSON.parse alone', () => {
    written.bytes += Object.keys(JSON.parse(Buffer.from(body.buffer).toString('latin1')) as object).length
  }),
  measure('parse, with what must hold', () => {
    written.bytes += Object.keys(parseJsonBody(body)).length
  }),
  measure('decode in full', () => {
    written.bytes += codec.decodeBody('openai-chat', body).estimatedTokens
  }),
  measure('scan', () => {
    written.bytes += scanBody(body)?.members.length ?? 0
  }),
  measure('skim', () => {
    written.bytes += codec.skimBody('openai-chat', body)?.estimatedTokens ?? 0
  }),
  measure('splice', () => {
    written.bytes += spliceMembers(body, members, edits).length
  }),
  measure('search for a name', () => {
    written.bytes += Buffer.from(body.buffer).includes('"extra_content"') ? 1 : 2
  }),
])

printTable(`one request of ${small.length} bytes`, [
  measure('decode in full', () => {
    written.bytes += codec.decodeBody('openai-chat', small).estimatedTokens
  }),
  measure('skim', () => {
    written.bytes += codec.skimBody('openai-chat', small)?.estimatedTokens ?? 0
  }),
])
