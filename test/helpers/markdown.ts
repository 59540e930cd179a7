// The documentation as a test reads it: the README and the pages for users below docs; tables by their heading, fenced
// blocks by their language.
import { listFiles, readText } from './source-tree.js'

export type Page = { readonly path: string; readonly text: string }
export type Block = { readonly language: string; readonly text: string; readonly line: number }

/** Folders of pages that users read; what else is below docs is for those who change Sluice. */
const FOLDERS = ['guide', 'reference', 'concepts', 'migrate']

/** The README first, then the index, then the pages for users in the order of their names. */
export const PAGES: readonly Page[] = [
  'README.md',
  'docs/README.md',
  ...FOLDERS.flatMap((folder) =>
    listFiles(`docs/${folder}`)
      .filter((path) => path.endsWith('.md'))
      .sort(),
  ),
].map((path) => ({ path, text: readText(path) }))

/** All of these pages as one text. */
export const DOCS = PAGES.map(({ text }) => text).join('\n')

/** All fenced blocks, with the line they begin on. */
export function fencedBlocks(markdown: string): Block[] {
  return Array.from(markdown.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm), (match) => ({
    language: match[1] ?? '',
    text: match[2] ?? '',
    line: markdown.slice(0, match.index).split('\n').length,
  }))
}

/** The text under a heading, its sub-headings included. @throws unless there is one such heading */
export function section(markdown: string, heading: string): string {
  const starts = Array.from(markdown.matchAll(new RegExp(`^#+ ${heading}$`, 'gm')), (match) => match.index)
  const [start] = starts
  if (start === undefined || starts.length > 1) throw new Error(`${starts.length} headings ${heading}, not one`)
  const level = /^#+/.exec(markdown.slice(start))?.[0].length ?? 1
  const rest = markdown.slice(start + level)
  const end = rest.search(new RegExp(`^#{1,${level}} `, 'm'))
  return end < 0 ? rest : rest.slice(0, end)
}

/** The cells of all table rows in a text, heads and rules left out. */
export function tableRows(text: string): string[][] {
  const lines = text.split('\n')
  return lines
    .filter((line, index) => line.startsWith('| ') && !/^\| -/.test(line) && !/^\| -/.test(lines[index + 1] ?? ''))
    .map((line) =>
      line
        .slice(1, line.lastIndexOf('|'))
        .split('|')
        .map((cell) => cell.trim()),
    )
}

/** What stands between backticks; fenced blocks are left out. */
export function codeWords(text: string): string[] {
  return Array.from(text.replace(/^```[\s\S]*?^```$/gm, '').matchAll(/`([^`]+)`/g), (match) => match[1] ?? '')
}
