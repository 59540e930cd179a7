// The pages as pages: their links lead somewhere, the paths that they name exist, the indexes list them all, and the
// troubleshooting page leaves no outcome and no error code out. What their tables say: docs.test.ts.
import { existsSync } from 'node:fs'
import { posix } from 'node:path'
import { test } from 'tap'
import { ERROR_CATALOGUE } from '../src/errors.js'
import { OUTCOMES } from '../src/model/event.js'
import { type TimeoutKind, timeoutFailure } from '../src/upstream/failure.js'
import { codeWords, DOCS, PAGES, section, tableRows } from './helpers/markdown.js'
import { deadPaths, findDecisionErrors } from './helpers/pages.js'
import { listFiles, readSource, readText } from './helpers/source-tree.js'

const REPOSITORY = new URL('../../', import.meta.url)

const DECISIONS = 'docs/decisions'
const INDEX = `${DECISIONS}/README.md`

const WORK_PAGES = [
  ...[DECISIONS, 'docs/internals', '.github'].flatMap(listFiles),
  'docs/concepts/life-of-a-request.md',
  'docs/guide/troubleshooting.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'src/README.md',
].filter((path) => path.endsWith('.md'))

function isThere(path: string): boolean {
  return existsSync(new URL(path, REPOSITORY))
}

test('the index of decisions and their pages agree', async (t) => {
  const pages = listFiles(DECISIONS).filter((path) => path !== INDEX)
  t.ok(pages.length > 50)
  const texts = new Map(pages.map((path) => [path.slice(DECISIONS.length + 1), readText(path)]))
  t.same(findDecisionErrors(readText(INDEX), texts), [])
})

test('a decision that is missing from the index, misnumbered or without a section is found', async (t) => {
  const page = '# 0001. A\n\nDate: 2026-11-20. Status: accepted.\n\n## Context\n\n## Decision\n\n## Consequences\n'
  const row = '| [0001](0001-a.md) | A | 2026-11-20 |'
  const index = `| No. | Decision | Date |\n| --- | --- | --- |\n${row}\n`
  const errors = (text: string, pages: Record<string, string>) =>
    findDecisionErrors(text, new Map(Object.entries(pages)))
  t.same(errors(index, { '0001-a.md': page }), [])
  t.equal(errors(index, {}).length, 1, 'a row without a page')
  t.equal(errors(index, { '0001-a.md': page, '0002-b.md': page.replace('0001. A', '0002. B') }).length, 1)
  t.equal(errors(index, { '0001-a.md': page.replace('0001', '0002') }).length, 1, 'a title of another number')
  t.equal(errors(index, { '0001-a.md': page.replace('## Context', '') }).length, 1, 'a section is missing')
  t.equal(errors(index.replace('2026-11-20', '2026-11-21'), { '0001-a.md': page }).length, 1, 'another date')
})

test('files that the pages name exist', async (t) => {
  for (const path of WORK_PAGES.filter((page) => page !== 'src/README.md')) {
    t.same(deadPaths(readText(path), isThere), [], path)
  }
})

test('commands that the pages name exist', async (t) => {
  const { scripts } = JSON.parse(readText('package.json')) as { scripts: Record<string, string> }
  const commands = WORK_PAGES.flatMap((path) =>
    Array.from(readText(path).matchAll(/\bnpm run ([\w:]+)/g), ([, name = '']) => ({ path, name })),
  )
  t.ok(commands.length > 10)
  for (const { path, name } of commands) t.ok(name in scripts, `${path}: npm run ${name}`)
})

test('finds a dead path, and ignores placeholders', async (t) => {
  const isKnown = (path: string) => path === 'docs/a.md'
  t.same(deadPaths('`src/x.ts` `npm run src/x.ts` `resources/NAME.json` `docs/a.md`', isKnown), ['src/x.ts'])
})

test('the troubleshooting page explains every outcome and every error code', async (t) => {
  const rows = tableRows(readText('docs/guide/troubleshooting.md'))
  const explained = rows.flatMap(([name = '', meaning = '', advice = '']) =>
    meaning !== '' && advice !== '' ? codeWords(name) : [],
  )
  for (const name of [...OUTCOMES, ...Object.keys(ERROR_CATALOGUE)]) t.ok(explained.includes(name), name)
})

test('the troubleshooting page names the option of each time limit of a provider', async (t) => {
  const rows = tableRows(section(readText('docs/guide/troubleshooting.md'), 'A request stalled'))
  const optionOf = (kind: TimeoutKind) => {
    const { message } = timeoutFailure(kind, 1500).data
    const row = rows.find(([words = '']) => words !== '' && message.startsWith(words.slice(1, -1)))
    return codeWords(row?.[1] ?? '')[0]
  }
  t.equal(optionOf('connect'), 'providers.*.timeouts.connectMs')
  t.equal(optionOf('first-token'), 'providers.*.timeouts.firstTokenMs')
  t.equal(optionOf('between-tokens'), 'providers.*.timeouts.betweenTokensMs')
  t.equal(optionOf('total'), 'providers.*.timeouts.totalMs')
})

test('the log lines that the troubleshooting page explains are those of the code', async (t) => {
  const code = readSource()
    .map((file) => file.code)
    .join('\n')
  const rows = tableRows(section(readText('docs/guide/troubleshooting.md'), 'By log line'))
  const lines = rows.flatMap(([line = '']) => codeWords(line))
  t.ok(lines.length > 15)
  for (const line of lines) t.ok(code.includes(`'${line}'`), line)
  const warned = Array.from(
    code.matchAll(/\.(?:warn|error)\([^;\n]*'([a-zA-Z][^'\n]* [^'\n]*)'\)/g),
    ([, line = '']) => line,
  )
  t.ok(warned.length > 8)
  for (const line of warned) t.ok(lines.includes(line), line)
})

/** The names by which a page's headings can be linked to. */
function anchorsOf(markdown: string): string[] {
  const prose = markdown.replace(/^```[\s\S]*?^```$/gm, '')
  return Array.from(prose.matchAll(/^#+ (.+)$/gm), ([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\w -]/g, '')
      .replace(/ /g, '-'),
  )
}

/** What is wrong with a link of a page, or null. */
function linkFault(page: string, target: string): string | null {
  const [path = '', anchor] = target.split('#')
  const file = path === '' ? page : posix.join(posix.dirname(page), path)
  if (!file.endsWith('.md')) return isThere(file) ? null : 'no such file'
  if (!isThere(file)) return 'no such page'
  return anchor === undefined || anchorsOf(readText(file)).includes(anchor) ? null : 'no such heading'
}

test('each link of each page leads to a file and a heading that exist', async (t) => {
  const docs = listFiles('docs').filter((path) => path.endsWith('.md'))
  const pages = [...docs, 'README.md', 'SECURITY.md', 'CHANGELOG.md', 'CONTRIBUTING.md'].filter(isThere)
  t.ok(pages.length > 20)
  let links = 0
  for (const page of pages) {
    for (const [, target = ''] of readText(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^(https?|mailto):/.test(target)) continue
      links += 1
      t.equal(linkFault(page, target), null, `${page}: ${target}`)
    }
  }
  t.ok(links > 100)
})

test('a link to a file, a page or a heading that is missing is a fault', async (t) => {
  t.equal(linkFault('docs/guide/jobs.md', '../../LICENCE'), 'no such file')
  t.equal(linkFault('docs/guide/jobs.md', 'job.md'), 'no such page')
  t.equal(linkFault('docs/guide/jobs.md', '#no-such-heading'), 'no such heading')
  t.equal(linkFault('docs/guide/jobs.md', '../reference/errors.md#outcome'), 'no such heading')
  t.equal(linkFault('docs/guide/jobs.md', '../reference/errors.md#outcomes'), null)
})

test('the index lists every page, and the README is short', async (t) => {
  const index = readText('docs/README.md')
  for (const { path } of PAGES.slice(2)) t.ok(index.includes(`](${path.slice('docs/'.length)})`), path)
  t.ok(readText('README.md').split('\n').length <= 200)
})

test('files that the documentation names are there', async (t) => {
  const files = codeWords(DOCS).filter((word) => /^(resources|src|test|workers|bench)\/[\w./-]+$/.test(word))
  t.ok(files.length > 10)
  for (const file of files) t.ok(/\.\w+$/.test(file) ? readText(file) : listFiles(file).length > 0, file)
})
