// The law about what the tests reach, as a function: counted lines and figures in, breaches out, none where the law holds.
// test/coverage.ts applies it to a run, test/laws/house.test.ts to counts that break it.

/** Lines of a file. */
export type Counted = { readonly total: number; readonly covered: number }

export type CoverageLaw = {
  /** The first that matches a path counts. */
  readonly figures: readonly (readonly [files: RegExp, minPercent: number])[]
  /** Files below their figure, with the reason. */
  readonly exceptions: Readonly<Record<string, string>>
  /** Fewer files than these, and the counts are not those of the tree. */
  readonly leastFiles: number
}

export function percentOf({ total, covered }: Counted): number {
  return total === 0 ? 100 : (100 * covered) / total
}

/** Files below their figure, exceptions that are none, and a run that has counted next to nothing. */
export function findUncovered(
  counts: ReadonlyMap<string, Counted>,
  { figures, exceptions, leastFiles }: CoverageLaw,
): string[] {
  if (counts.size < leastFiles) return [`only ${counts.size} files were reached`]
  const short = [...counts].filter(([path, lines]) => {
    return percentOf(lines) < (figures.find(([files]) => files.test(path))?.[1] ?? 100)
  })
  const stale = Object.keys(exceptions).filter((path) => !short.some(([each]) => each === path))
  return [
    ...short
      .filter(([path]) => !(path in exceptions))
      .map(([path, lines]) => `${path}: ${percentOf(lines).toFixed(1)} % of ${lines.total} lines`),
    ...stale.map((path) => `${path} needs no exception`),
  ]
}
