// Keys of a database without the database: a directory that the test writes, as a pipeline reads it.
import { createHash } from 'node:crypto'
import { createDirectoryMemory } from '../../src/accounts/directory/memory.js'
import { DirectoryReader } from '../../src/accounts/directory/reader.js'
import { DirectoryWriter } from '../../src/accounts/directory/writer.js'
import { type Account } from '../../src/accounts/types.js'
import { type AccountSource } from '../../src/pipeline/context.js'

const NO_LIMITS = { requestsPerMinute: null, tokensPerMinute: null, concurrency: null }

/** `secrets` by the time until which they are valid; null: for ever. */
type Secrets = Readonly<Record<string, number | null>>

export class AccountRig {
  readonly memory = createDirectoryMemory(100)
  readonly writer = new DirectoryWriter(this.memory)
  readonly reader = new DirectoryReader(this.memory)
  readonly used: string[] = []
  nowMs = 1000

  readonly source: AccountSource & { isStale: boolean } = {
    isStale: false,
    find: (digest) => this.reader.find(digest, this.nowMs),
    byIndex: (index) => this.reader.byIndex(index),
    byId: (id) => this.reader.byId(id),
    byName: (name) => this.reader.byName(name),
    nowMs: () => this.nowMs,
    noteUsed: (id) => void this.used.push(id),
  }

  /** Its id is `key_` and its name, unless it has another. */
  put(name: string, secrets: Secrets, over: Partial<Account> = {}): Account {
    const account: Account = {
      ...{ id: `key_${name}`, name, team: null, models: ['*'], limits: NO_LIMITS, tags: [] },
      ...{ trustUser: false, disabled: false, expiresAtMs: null, ...over },
    }
    const digests = Object.entries(secrets).map(([secret, validUntilMs]) => {
      return { digest: createHash('sha256').update(secret).digest('hex'), validUntilMs }
    })
    this.writer.put(account, digests)
    return account
  }
}
