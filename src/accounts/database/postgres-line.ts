// One connection to PostgreSQL, opened when it is needed and given up as soon as it cannot be trusted: after an error of the connection,
// or an answer that took too long. A pool would go on with it.
import { type PostgresPool, type PostgresPoolClient } from 'kysely'
import pg from 'pg'

/** The server gives up a statement that takes longer; where it does not answer at all, the client does. */
const STATEMENT_MS = 5000
const ANSWER_MS = 8000
const CONNECT_MS = 3000
/** Of 64 bits (https://www.postgresql.org/docs/15/catalog-pg-type.html): milliseconds and counts are exact as numbers. */
const INT8_OID = 20
const READ_TYPES: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    oid === INT8_OID ? Number : pg.types.getTypeParser(oid, format as 'text'),
}
/** Classes of errors after which a connection is of no use: https://www.postgresql.org/docs/15/errcodes-appendix.html */
const AWAY = /^(?:08|28|3D|53300|57P)/

/** Null: the error is none of the server's. */
export function sqlStateOf(thrown: unknown): string | null {
  return thrown instanceof pg.DatabaseError ? (thrown.code ?? null) : null
}

/** A client of `url` that is not connected yet. */
export function createClient(url: string): pg.Client {
  const client = new pg.Client({
    ...{ connectionString: url, application_name: 'sluice', keepAlive: true, types: READ_TYPES },
    ...{ statement_timeout: STATEMENT_MS, query_timeout: ANSWER_MS, connectionTimeoutMillis: CONNECT_MS },
  })
  // Whoever waits for it hears of it by its query.
  client.on('error', () => undefined)
  return client
}

/** Kysely's pool, of one. */
export class PostgresLine implements PostgresPool {
  readonly #url: string
  /** Errors of connections, which have no code of the server's. */
  readonly #losses = new WeakSet<object>()
  #client: pg.Client | null = null

  constructor(url: string) {
    this.#url = url
  }

  /** The database cannot be reached, or gives no connection: what is asked for next fails as well. */
  isAway(thrown: unknown): boolean {
    return (thrown instanceof Error && this.#losses.has(thrown)) || AWAY.test(sqlStateOf(thrown) ?? '')
  }

  async connect(): Promise<PostgresPoolClient> {
    const client = this.#client ?? (await this.#open())
    let isSound = true
    const query = async (text: string, parameters: readonly unknown[]): Promise<unknown> => {
      try {
        return await client.query(text, [...parameters])
      } catch (thrown) {
        isSound &&= !this.#isLoss(thrown)
        throw thrown
      }
    }
    return {
      // Kysely asks for cursors as well, where rows are streamed; nothing here streams them.
      query: query as PostgresPoolClient['query'],
      release: () => {
        if (!isSound) this.#giveUp(client)
      },
    }
  }

  async end(): Promise<void> {
    const client = this.#client
    this.#client = null
    await client?.end().catch(() => undefined)
  }

  async #open(): Promise<pg.Client> {
    const client = createClient(this.#url)
    client.once('end', () => {
      if (this.#client === client) this.#client = null
    })
    try {
      await client.connect()
    } catch (thrown) {
      this.#isLoss(thrown)
      throw thrown
    }
    this.#client = client
    return client
  }

  #isLoss(thrown: unknown): boolean {
    if (thrown instanceof Error && sqlStateOf(thrown) === null) this.#losses.add(thrown)
    return this.isAway(thrown)
  }

  /** Not in good order: what it waits for may never come. */
  #giveUp(client: pg.Client): void {
    if (this.#client === client) this.#client = null
    const { connection } = client as unknown as { readonly connection: { readonly stream: { destroy(): void } } }
    connection.stream.destroy()
  }
}
