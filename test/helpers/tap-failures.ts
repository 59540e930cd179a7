// What of a test's TAP output a person needs to see: the assertions that failed, each under the test that it belongs to.

/** Lines without those that passed: assertions, plans, and whole subtests. */
export function failuresOf(output: string): string {
  const kept: string[] = []
  const open: { readonly indent: string; readonly at: number }[] = []
  for (const line of output.split('\n')) {
    const [, indent = '', word] = /^(\s*)(# Subtest: |not ok \d|ok \d|\d+\.\.\d)/.exec(line) ?? []
    if (word === undefined) {
      kept.push(line)
    } else if (word.startsWith('#')) {
      open.push({ indent, at: kept.length })
      kept.push(line)
    } else {
      const subtest = word.includes('ok') && open.at(-1)?.indent === indent ? open.pop() : undefined
      if (word.startsWith('not ok')) kept.push(line)
      else if (subtest !== undefined) kept.length = subtest.at
    }
  }
  return kept.join('\n').replace(/\n{3,}/g, '\n\n')
}
