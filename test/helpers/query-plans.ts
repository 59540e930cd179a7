// What a database makes of the queries that some calls send: they are recorded as they are sent, and explained afterwards.
import { CompiledQuery, type KyselyPlugin } from 'kysely'
import { type Database } from '../../src/accounts/database/rows.js'

/** The plans of all queries of `act`, a text each, as SQLite explains them. */
export async function sqlitePlans(db: Database, act: (db: Database) => Promise<unknown>): Promise<string[]> {
  const plans: string[] = []
  for (const { sql, parameters } of await recordQueries(db, act)) {
    const { rows } = await db.executeQuery<{ detail: string }>(
      CompiledQuery.raw(`explain query plan ${sql}`, [...parameters]),
    )
    plans.push(rows.map(({ detail }) => detail).join('; '))
  }
  return plans
}

/** How many rows PostgreSQL visits in tables for all queries of `act`. */
export async function postgresVisits(db: Database, act: (db: Database) => Promise<unknown>): Promise<number> {
  let visits = 0
  for (const { sql, parameters } of await recordQueries(db, act)) {
    const query = CompiledQuery.raw(`explain (analyze, format json) ${sql}`, [...parameters])
    const { rows } = await db.executeQuery<{ 'QUERY PLAN': { Plan: PlanNode }[] }>(query)
    for (const { Plan } of rows[0]?.['QUERY PLAN'] ?? []) visits += visitsOf(Plan)
  }
  return visits
}

type PlanNode = {
  readonly 'Relation Name'?: string
  readonly 'Actual Rows': number
  readonly 'Actual Loops': number
  readonly 'Rows Removed by Filter'?: number
  readonly Plans?: readonly PlanNode[]
}

function visitsOf(node: PlanNode): number {
  const below = (node.Plans ?? []).reduce((sum, each) => sum + visitsOf(each), 0)
  if (node['Relation Name'] === undefined) return below
  return below + (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops']
}

async function recordQueries(db: Database, act: (db: Database) => Promise<unknown>): Promise<CompiledQuery[]> {
  const queries: CompiledQuery[] = []
  // Parts of queries are transformed too, but never have a result.
  const nodes = new Map<string, Parameters<KyselyPlugin['transformQuery']>[0]>()
  const recorder: KyselyPlugin = {
    transformQuery(query) {
      nodes.set(query.queryId.queryId, query)
      return query.node
    },
    async transformResult({ result, queryId }) {
      const query = nodes.get(queryId.queryId)
      if (query !== undefined) queries.push(db.getExecutor().compileQuery(query.node, queryId))
      return result
    },
  }
  await act(db.withPlugin(recorder))
  return queries
}
