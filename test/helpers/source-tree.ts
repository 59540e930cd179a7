// The source as the laws of test/architecture.test.ts see it: files, what they import and export, code without its comments.
// Read by a parser, so that neither a string nor a regular expression is ever taken for an import or a comment.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { posix } from 'node:path'
import { type Comment, parseSync, Visitor } from 'oxc-parser'

const REPOSITORY = new URL('../../../', import.meta.url)

export type SourceFile = {
  /** From the repository's root, such as `src/wire/sse.ts`. */
  readonly path: string
  readonly text: string
  /** The text with each comment replaced by one space. */
  readonly code: string
  readonly lines: number
  /** The comment line that the file opens with, after a shebang. */
  readonly opening: string | null
  /** Files of ours that it imports, types included. */
  readonly imports: readonly string[]
  /** Packages that it imports, types included; Node's own modules left out. */
  readonly packages: readonly string[]
  readonly exports: readonly Export[]
  /** The functions and methods that spread an object into another, once for each time. */
  readonly spreads: readonly string[]
  /** Functions or classes at the top level; types, constants and tables need no test of their own. */
  readonly hasLogic: boolean
}

type Place = { readonly name: string; readonly start: number; readonly end: number }

export type Export = { readonly name: string; readonly isFunction: boolean; readonly hasDocstring: boolean }

/** Paths of all files below a folder, from the repository's root; none if there is no such folder. */
export function listFiles(folder: string): string[] {
  let entries: ReturnType<typeof readEntries>
  try {
    entries = readEntries(folder)
  } catch {
    return []
  }
  return entries.flatMap((entry) => {
    const path = `${folder}/${entry.name}`
    return entry.isDirectory() ? listFiles(path) : [path]
  })
}

function readEntries(folder: string) {
  return readdirSync(new URL(`${folder}/`, REPOSITORY), { withFileTypes: true })
}

export function readText(path: string): string {
  return readFileSync(new URL(path, REPOSITORY), 'utf8')
}

export function writeText(path: string, text: string): void {
  writeFileSync(new URL(path, REPOSITORY), text)
}

/** All TypeScript below src and workers. */
export function readSource(): SourceFile[] {
  return ['src', 'workers']
    .flatMap(listFiles)
    .filter((path) => path.endsWith('.ts'))
    .map((path) => parseSource(path, readText(path)))
}

/** @throws Error on a syntax error */
export function parseSource(path: string, text: string): SourceFile {
  const { program, comments, errors } = parseSync(path, text)
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]?.message}`)
  const specifiers = new Set<string>()
  const exports: Export[] = []
  const functions: Place[] = []
  const spreads: number[] = []
  const add = (node: { type: string } | null | undefined): void => {
    if (node?.type === 'Literal' && 'value' in node) specifiers.add(String(node.value))
  }
  new Visitor({
    FunctionDeclaration: ({ id, start, end }) => functions.push({ name: id?.name ?? '', start, end }),
    MethodDefinition: ({ key, start, end }) => functions.push({ name: text.slice(key.start, key.end), start, end }),
    PropertyDefinition: ({ key, start, end }) => functions.push({ name: text.slice(key.start, key.end), start, end }),
    ObjectExpression: ({ properties }) => {
      for (const property of properties) {
        const isLiteral = property.type === 'SpreadElement' && property.argument.type === 'ObjectExpression'
        // One that is written there costs no more than its members.
        if (property.type === 'SpreadElement' && !isLiteral) spreads.push(property.start)
      }
    },
    ImportDeclaration: (node) => add(node.source),
    ExportAllDeclaration: (node) => add(node.source),
    ImportExpression: (node) => add(node.source),
    TSImportType: (node) => add(node.source),
    CallExpression: (node) => {
      if (node.callee.type === 'Identifier' && node.callee.name === 'require') add(node.arguments[0])
    },
    ExportNamedDeclaration: (node) => {
      add(node.source)
      exports.push(...exportsOf(node, isDocumented(text, comments, node.start)))
    },
  }).visit(program)
  const paths = [...specifiers].filter((specifier) => specifier.startsWith('.'))
  const packages = [...specifiers].filter((specifier) => !/^(?:\.|node:)/.test(specifier))
  return {
    path,
    text,
    code: withoutComments(text, comments),
    lines: text.split('\n').length - 1,
    opening: /^(?:#!.*\n)?(\/\/.*)/.exec(text)?.[1] ?? null,
    imports: paths.map((specifier) => posix.join(posix.dirname(path), specifier).replace(/\.js$/, '.ts')),
    packages: [...new Set(packages.map(packageOf))],
    exports,
    spreads: spreads.map((at) => functions.findLast(({ start, end }) => start <= at && at < end)?.name ?? ''),
    hasLogic: program.body.some((node) => {
      const declared = node.type === 'ExportNamedDeclaration' ? node.declaration : node
      return declared?.type === 'FunctionDeclaration' || declared?.type === 'ClassDeclaration'
    }),
  }
}

type Declared = Parameters<NonNullable<ConstructorParameters<typeof Visitor>[0]['ExportNamedDeclaration']>>[0]

function exportsOf({ declaration, specifiers }: Declared, hasDocstring: boolean): Export[] {
  if (declaration === null) {
    return specifiers.map(({ exported }) => {
      const name = exported.type === 'Literal' ? exported.value : exported.name
      return { name, isFunction: false, hasDocstring }
    })
  }
  if (declaration.type === 'VariableDeclaration') {
    return declaration.declarations.flatMap(({ id }) =>
      id.type === 'Identifier' ? [{ name: id.name, isFunction: false, hasDocstring }] : [],
    )
  }
  if (!('id' in declaration) || declaration.id?.type !== 'Identifier') return []
  return [{ name: declaration.id.name, isFunction: declaration.type === 'FunctionDeclaration', hasDocstring }]
}

/** Whether a block comment ends right before a position; comments for tools may stand between. */
function isDocumented(text: string, comments: readonly Comment[], at: number): boolean {
  let end = at
  for (const comment of comments.toReversed()) {
    if (comment.end > end) continue
    if (text.slice(comment.end, end).trim() !== '') return false
    if (comment.type === 'Block') return comment.value.startsWith('*')
    end = comment.start
  }
  return false
}

function withoutComments(text: string, comments: readonly Comment[]): string {
  let code = ''
  let at = 0
  for (const { start, end } of comments) {
    code += `${text.slice(at, start)} `
    at = end
  }
  return code + text.slice(at)
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}
