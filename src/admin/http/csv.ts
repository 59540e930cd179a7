// Tables as CSV (RFC 4180) that spreadsheets open: a text that one would take for a formula gets an apostrophe before it
// (https://owasp.org/www-community/attacks/CSV_Injection).

const FORMULA = /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/
const SPECIAL = /[",\r\n]/

/** A line of titles, and one for each row; null is an empty cell. */
export function csvOf(titles: readonly string[], rows: readonly (readonly (string | number | null)[])[]): string {
  return [titles, ...rows].map((row) => `${row.map(cellOf).join(',')}\r\n`).join('')
}

function cellOf(value: string | number | null): string {
  if (value === null) return ''
  if (typeof value === 'number') return String(value)
  const text = FORMULA.test(value) ? `'${value}` : value
  return SPECIAL.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
