// An end user's id for a vendor that takes only short ones. What is longer is hashed: the same user is the same for the vendor,
// which is all that it needs the id for, whichever node asks.
import { createHash } from 'node:crypto'

/** The id as it is, or the 64 hex digits of its SHA-256 where it has more characters than the vendor takes (64 or more). */
export function fitUser(user: string, maxChars: number): string {
  return user.length <= maxChars ? user : createHash('sha256').update(user).digest('hex')
}
