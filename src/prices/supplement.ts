// What the list that comes with Sluice knows besides prices, added to a list that has none of it, such as a newer one of genai-prices: the
// most output of models, and multiples for classes of service.
import { type PriceList, type PriceRow, type PriceTable } from './types.js'

/** `own`: the list that comes with Sluice; none of its prices is taken, and what `table` says of a model precedes. */
export function supplement(table: PriceTable, own: PriceTable): PriceTable {
  const lists = Object.entries(table.lists).map(([id, list]) => {
    return [id, supplementList(list, Object.hasOwn(own.lists, id) ? own.lists[id] : undefined)] as const
  })
  return { version: table.version, lists: Object.fromEntries(lists) }
}

function supplementList(list: PriceList, own: PriceList | undefined): PriceList {
  if (own === undefined) return list
  const known = new Map(own.rows.map((row) => [row.model, row]))
  return { ...list, rows: list.rows.map((row) => supplementRow(row, known.get(row.model))) }
}

function supplementRow(row: PriceRow, own: PriceRow | undefined): PriceRow {
  if (own === undefined) return row
  const hasTiers = Object.keys(row.serviceTiers).length > 0
  return {
    ...row,
    maxOutputTokens: row.maxOutputTokens ?? own.maxOutputTokens,
    serviceTiers: hasTiers ? row.serviceTiers : own.serviceTiers,
  }
}
