// The README as a test reads it: tables by their heading, fenced blocks by their language.
import { readText } from './source-tree.js'

export const README = readText('README.md')

export type Block = { readonly language: string; readonly text: string; readonly line: number }

/** All fenced blocks, with the line they begin on. */
export function fencedBlocks(markdown: string): Block[] {
  return Array.from(markdown.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm), (match) => ({
    language: match[1] ?? '',
    text: match[2] ?? '',
    line: markdown.slice(0, match.index).split('\n').length,
  }))
}

/** The text under a heading, its sub-headings included. */
export function section(markdown: string, heading: string): string {
  const start = markdown.search(new RegExp(`^#+ ${heading}$`, 'm'))
  if (start < 0) throw new Error(`no heading ${heading}`)
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
