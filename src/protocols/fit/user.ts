// An end user's id for a vendor that accepts only short ones. A longer id is hashed, so that the same user has the same id at the vendor
// from every node, which is all that the vendor needs.
import { createHash } from 'node:crypto'

/** The id unchanged, or the 64 hex digits of its SHA-256 if it is longer than the vendor accepts (64 characters or more). */
export function fitUser(user: string, maxChars: number): string {
  return user.length <= maxChars ? user : createHash('sha256').update(user).digest('hex')
}
