// What requests must share to stay on one target: the key and the beginning of the prompt, up to the first user message. Later turns
// of a conversation repeat it byte for byte, so they go where the provider has it in its cache.
import { hashBytes } from '../../routing/balance.js'
import { type Member } from '../../wire/body/members.js'
import { objectEnd, valueAt } from '../../wire/json-scan.js'
import { type ExchangeView } from '../exchange.js'

/** Bytes hashed of each member and message: the beginning identifies a long one, and hashing all of it would not pay off. */
const MAX_PART_BYTES = 2048
const OPEN_BRACE = 0x7b
const ROLE = Buffer.from('"role"')
const USER = Buffer.from('"user"')

/** The hash of key and prompt prefix, 32 bits. */
export function hashPrefix(exchange: ExchangeView, members: readonly Member[]): number {
  const { request, body } = exchange
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  let hash = hashBytes(0x811c9dc5, Buffer.from(`${request.key.index}`))
  for (const name of request.surface.promptMembers) {
    const member = members.find(({ key }) => key === name)
    if (member === undefined) continue
    for (const part of partsOf(bytes.subarray(member.valueStart, member.valueEnd))) {
      hash = hashBytes(hash, part.subarray(0, MAX_PART_BYTES))
    }
  }
  return hash
}

/** The messages of a list up to the first user message, one by one; any other value unchanged. */
function partsOf(value: Buffer): Buffer[] {
  const context: Buffer[] = []
  let at = value.indexOf(OPEN_BRACE)
  const isList = value.length > 0 && value[0] !== OPEN_BRACE && at > 0
  if (!isList || valueAt(value, ROLE, 0) < 0) return [value]
  while (at >= 0) {
    const end = objectEnd(value, at)
    const message = value.subarray(at, end)
    context.push(message)
    const role = valueAt(message, ROLE, 0)
    if (role >= 0 && message.subarray(role, role + USER.length).equals(USER)) break
    at = value.indexOf(OPEN_BRACE, end)
  }
  return context
}
