// What can be wrong with a page for those who work on Sluice: a path that leads nowhere, a decision outside its index.
import { codeWords, tableRows } from './markdown.js'

const DECISION = /^# (\d{4})\. (.+)\n\nDate: (\d{4}-\d\d-\d\d)\. Status: (?:accepted|superseded by .+)\.$/m
const SECTIONS = ['## Context', '## Decision', '## Consequences']
/** Paths of this repository; what has a capital word in it, such as NAME, stands for any. */
const OWN_PATH = /^(?:src|test|workers|bench|resources|docs|\.github|\.vscode)\/[\w./-]+$/
const PLACEHOLDER = /(?:^|\/)[A-Z]{2,}\b/

/** Paths between backticks that do not exist; globs and names in capitals are left out. */
export function deadPaths(markdown: string, exists: (path: string) => boolean): string[] {
  const paths = codeWords(markdown).filter((word) => OWN_PATH.test(word))
  return paths.filter(
    (word) => (word.endsWith('README.md') || !PLACEHOLDER.test(word)) && !exists(word.replace(/\/$/, '')),
  )
}

/** What is wrong between the index and the pages, by their file names. */
export function findDecisionErrors(index: string, pages: ReadonlyMap<string, string>): string[] {
  const rows = tableRows(index).map((row) => row.join(' | '))
  const expected = [...pages].map(([name, text]) => {
    const [, number, title, date] = DECISION.exec(text) ?? []
    return `[${name.slice(0, 4)}](${name}) | ${number === name.slice(0, 4) ? title : '?'} | ${date}`
  })
  const incomplete = [...pages].filter(([, text]) => SECTIONS.some((heading) => !text.includes(`${heading}\n`)))
  return [
    ...expected.filter((row) => !rows.includes(row)).map((row) => `not in the index: ${row}`),
    ...rows.filter((row) => !expected.includes(row) && !isKnown(row, pages)).map((row) => `without a page: ${row}`),
    ...incomplete.map(([name]) => `a section is missing: ${name}`),
  ]
}

/** A row whose page exists differs in its words, which is reported by the page. */
function isKnown(row: string, pages: ReadonlyMap<string, string>): boolean {
  return pages.has(/\]\(([^)]+)\)/.exec(row)?.[1] ?? '')
}
