// The prompt library: system prompts for conversations, one file each, `<dir>/<language>/<name>.prompt`. All are kept in memory; at
// most once a second, on use, the stamps of the files are compared and changed files are read again. No watcher: fs.watch reports
// nothing on network and bind mounts, and stops when a symlink to the folder is swapped (Kubernetes).
import { type BigIntStats, lstatSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { join, sep } from 'node:path'
import { GatewayError } from '../errors.js'

export type PromptLibrary = {
  /**
   * The prompt in that language (`pl-PL` falls back to `pl`), else in the default language; null where neither has it.
   * @throws invalid_request if the name or language would leave the folder, or the file is a link out of it
   */
  find(name: string, language: string): string | null
  /** Languages that have at least one prompt, sorted, lower case. */
  languages(): readonly string[]
  /** Releases all prompts; a closed library finds none. */
  close(): void
}

export type PromptLibraryOptions = {
  readonly dir: string
  readonly defaultLanguage: string
  /** Monotonic milliseconds. */
  readonly nowMs?: () => number
  /** Called once for each unusable file, until it changes. */
  readonly warn?: (message: string) => void
}

type Prompt = {
  /** Identifies the content by the file's metadata. Empty: read it again next time. */
  readonly stamp: string
  /** Null if the file is empty, too large or not readable. */
  readonly text: string | null
  readonly isOutside: boolean
}

/** By `language/name`, the language in lower case. */
type Prompts = ReadonlyMap<string, Prompt>

/** An edit takes effect after this time at the latest; a scan of a few dozen files costs about 0.1 ms. */
const CHECK_EVERY_MS = 1000
/** More than any model takes as instructions. */
const MAX_PROMPT_BYTES = 65_536
/** Bounds the cost of a scan; further entries, in the order of names, are ignored. */
const MAX_LANGUAGES = 32
const MAX_PROMPTS_PER_LANGUAGE = 64
const EXTENSION = '.prompt'
const MAX_NAME_LENGTH = 64
/** Valid parts of a path. A leading dot is excluded: it marks a hidden file, or begins `..`. */
const LEAVES_FOLDER = /[/\\\0]|^\./
/** A file younger than this may still change within the resolution of its time stamp. */
const UNSETTLED_MS = 50

/** Reads the whole folder once. A missing folder is an empty library until it exists. */
export function createPromptLibrary(options: PromptLibraryOptions): PromptLibrary {
  const { dir, nowMs = () => performance.now(), warn = () => undefined } = options
  const fallback = options.defaultLanguage.toLowerCase()
  let isClosed = false
  let prompts = scan(dir, new Map(), warn)
  let checkedAtMs = nowMs()
  const current = (): Prompts => {
    const now = nowMs()
    if (isClosed || now - checkedAtMs < CHECK_EVERY_MS) return prompts
    checkedAtMs = now
    prompts = scan(dir, prompts, warn)
    return prompts
  }
  return {
    find(name, language) {
      refuseEscape('name', name)
      refuseEscape('language', language)
      const known = current()
      for (const candidate of fallbacks(language.toLowerCase(), fallback)) {
        const text = textOf(known.get(`${candidate}/${name}`))
        if (text !== null) return text
      }
      return null
    },
    languages() {
      const usable = [...current()].filter(([, prompt]) => prompt.text !== null)
      return [...new Set(usable.map(([key]) => key.slice(0, key.indexOf('/'))))].sort()
    },
    close() {
      isClosed = true
      prompts = new Map()
    },
  }
}

function refuseEscape(param: 'name' | 'language', part: string): void {
  if (part.length <= MAX_NAME_LENGTH && !LEAVES_FOLDER.test(part)) return
  throw new GatewayError('invalid_request', {
    param,
    message: `${param}: is not the name of a prompt file or folder.`,
  })
}

/** `pt-br` -> `pt-br`, `pt`, the default. */
function fallbacks(language: string, fallback: string): readonly string[] {
  const [base = ''] = language.split(/[-_]/)
  return [language, base, fallback]
}

function textOf(prompt: Prompt | undefined): string | null {
  if (prompt?.isOutside === true) {
    throw new GatewayError('invalid_request', { param: 'name', message: 'The prompt is outside the prompt library.' })
  }
  return prompt?.text ?? null
}

/** Everything below the folder; files with the same stamp are taken from `before` without being read. */
function scan(dir: string, before: Prompts, warn: (message: string) => void): Prompts {
  const found = new Map<string, Prompt>()
  const root = resolved(dir)
  for (const folder of root === null ? [] : list(root).slice(0, MAX_LANGUAGES)) {
    const place = resolved(join(dir, folder))
    if (root === null || place === null) continue
    const files = list(place).filter((file) => file.endsWith(EXTENSION))
    for (const file of files.slice(0, MAX_PROMPTS_PER_LANGUAGE)) {
      const key = `${folder.toLowerCase()}/${file.slice(0, -EXTENSION.length)}`
      const known = before.get(key)
      const prompt = load(join(place, file), root, known)
      if (prompt === null) continue
      found.set(key, prompt)
      if (prompt.text !== null || prompt.stamp === known?.stamp) continue
      warn(`${join(dir, folder, file)} is ignored as a prompt: ${whyNot(prompt)}`)
    }
  }
  return found
}

function whyNot({ isOutside }: Prompt): string {
  return isOutside
    ? 'it is a link to outside the folder'
    : `it is empty, not readable or over ${MAX_PROMPT_BYTES} bytes`
}

/** Null if the file no longer exists. */
function load(path: string, root: string, known: Prompt | undefined): Prompt | null {
  let file = path
  let stats: BigIntStats | undefined = lstatSync(path, { bigint: true, throwIfNoEntry: false })
  if (stats?.isSymbolicLink() === true) {
    file = resolved(path) ?? path
    stats = statSync(file, { bigint: true, throwIfNoEntry: false })
  }
  if (!file.startsWith(root + sep)) return { stamp: file, text: null, isOutside: true }
  if (stats?.isFile() !== true) return null
  const stamp = `${file} ${stats.ino} ${stats.size} ${stats.mtimeNs} ${stats.ctimeNs}`
  if (known?.stamp === stamp) return known
  const text = stats.size > MAX_PROMPT_BYTES ? null : read(file)
  const isSettled = Date.now() - Number(stats.ctimeMs) > UNSETTLED_MS
  return { stamp: isSettled || text === null ? stamp : '', text, isOutside: false }
}

/** The text without the final line end that editors add; null if nothing is left. */
function read(file: string): string | null {
  try {
    return (
      readFileSync(file, 'utf8')
        .replace(/^\uFEFF/, '')
        .trim() || null
    )
  } catch {
    return null
  }
}

/** Visible entries in the order of their names; none if the folder does not exist. */
function list(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
      .filter((name) => !name.startsWith('.'))
      .sort()
  } catch {
    return []
  }
}

function resolved(path: string): string | null {
  try {
    return realpathSync.native(path)
  } catch {
    return null
  }
}
