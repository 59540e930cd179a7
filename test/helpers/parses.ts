// How often JSON.parse runs: what is read from bytes is not parsed.

/** The calls of JSON.parse within `work`. */
export function parsesOf(work: () => void): number {
  const { parse } = JSON
  let calls = 0
  JSON.parse = (text, reviver) => {
    calls += 1
    return parse(text, reviver) as unknown
  }
  try {
    work()
  } finally {
    JSON.parse = parse
  }
  return calls
}
