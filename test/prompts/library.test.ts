// The prompt library on a real folder, its clock turned by hand: what it finds, when it looks again, and what it never opens.
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'tap'
import { GatewayError } from '../../src/errors.js'
import { createPromptLibrary, type PromptLibrary } from '../../src/prompts/library.js'

type Teardown = { teardown(callback: () => unknown): void }

/** A library over these files; `look` makes it check the folder at the next use. */
function open(t: Teardown, files: Readonly<Record<string, string>>) {
  const base = mkdtempSync(join(tmpdir(), 'sluice-prompts-'))
  t.teardown(() => rmSync(base, { recursive: true, force: true }))
  const dir = join(base, 'prompts')
  const write = (file: string, text: string): void => {
    mkdirSync(dirname(join(dir, file)), { recursive: true })
    writeFileSync(join(dir, file), text)
  }
  for (const [file, text] of Object.entries(files)) write(file, text)
  const clock = { ms: 0 }
  const warnings: string[] = []
  const library = createPromptLibrary({
    dir,
    defaultLanguage: 'en',
    nowMs: () => clock.ms,
    warn: (message) => warnings.push(message),
  })
  const look = (): void => {
    clock.ms += 1000
  }
  return { base, dir, library, warnings, write, look, clock }
}

function refusedParam(run: () => unknown): string | null {
  try {
    run()
  } catch (error) {
    if (error instanceof GatewayError && error.data.code === 'invalid_request') return error.data.param
    throw error
  }
  return 'found'
}

const FILES = { 'en/chat.prompt': 'English\n', 'pl/chat.prompt': 'Polski\n', 'en/other.prompt': 'Other' }

test('finds a prompt by name and language, whatever the case of the language', async (t) => {
  const { library } = open(t, FILES)
  t.equal(library.find('chat', 'en'), 'English')
  t.equal(library.find('chat', 'pl'), 'Polski')
  t.equal(library.find('chat', 'PL'), 'Polski')
  t.same(library.languages(), ['en', 'pl'])
})

test('a language without the prompt falls back to its base language, then to the default one', async (t) => {
  const { library } = open(t, FILES)
  t.equal(library.find('chat', 'pl-PL'), 'Polski')
  t.equal(library.find('other', 'pl'), 'Other')
  t.equal(library.find('chat', 'tlh'), 'English')
  t.equal(library.find('chat', ''), 'English')
  t.equal(library.find('nothing', 'pl'), null)
})

test('edited, added and removed files are seen a second later, and not read before', async (t) => {
  const { library, dir, write, look, clock } = open(t, FILES)
  write('pl/chat.prompt', 'Inaczej')
  write('de/chat.prompt', 'Deutsch')
  rmSync(join(dir, 'en/other.prompt'))
  clock.ms += 999
  t.same([library.find('chat', 'pl'), library.find('other', 'en')], ['Polski', 'Other'])
  clock.ms += 1
  t.same([library.find('chat', 'pl'), library.find('chat', 'de')], ['Inaczej', 'Deutsch'])
  t.equal(library.find('other', 'en'), null)
  t.same(library.languages(), ['de', 'en', 'pl'])
  rmSync(join(dir, 'de'), { recursive: true })
  look()
  t.same(library.languages(), ['en', 'pl'])
})

test('an edit of the same length within the same tick of the clock is seen', async (t) => {
  const { library, dir, write, look } = open(t, { 'en/chat.prompt': 'one' })
  const file = join(dir, 'en/chat.prompt')
  utimesSync(file, 1, 1)
  look()
  t.equal(library.find('chat', 'en'), 'one')
  write('en/chat.prompt', 'two')
  utimesSync(file, 1, 1)
  look()
  t.equal(library.find('chat', 'en'), 'two')
})

test('a folder that appears, goes and comes back is taken as it is', async (t) => {
  const { library, base, dir, write, look } = open(t, {})
  t.same([library.find('chat', 'en'), library.languages()], [null, []])
  write('en/chat.prompt', 'here')
  look()
  t.equal(library.find('chat', 'en'), 'here')
  renameSync(dir, join(base, 'away'))
  look()
  t.equal(library.find('chat', 'en'), null)
  renameSync(join(base, 'away'), dir)
  look()
  t.equal(library.find('chat', 'en'), 'here')
})

test('a name or language that would leave the folder is refused', async (t) => {
  const { library, base } = open(t, FILES)
  writeFileSync(join(base, 'secret.prompt'), 'secret')
  for (const wrong of ['../secret', '..', '.', '/etc/passwd', 'a/b', 'a\\b', 'chat\0', '.hidden', 'x'.repeat(65)]) {
    t.equal(
      refusedParam(() => library.find(wrong, 'en')),
      'name',
      JSON.stringify(wrong),
    )
    t.equal(
      refusedParam(() => library.find('chat', wrong)),
      'language',
      JSON.stringify(wrong),
    )
  }
  t.equal(library.find('constructor', '__proto__'), null)
})

test('a link out of the folder is refused, one that stays inside is followed', async (t) => {
  const { library, base, dir, warnings, look } = open(t, FILES)
  writeFileSync(join(base, 'secret.prompt'), 'secret')
  mkdirSync(join(base, 'elsewhere'))
  writeFileSync(join(base, 'elsewhere/chat.prompt'), 'secret')
  symlinkSync(join(base, 'secret.prompt'), join(dir, 'en/out.prompt'))
  symlinkSync('../elsewhere', join(dir, 'fr'))
  symlinkSync('chat.prompt', join(dir, 'en/in.prompt'))
  symlinkSync('nowhere.prompt', join(dir, 'en/dangling.prompt'))
  look()
  t.equal(
    refusedParam(() => library.find('out', 'en')),
    'name',
  )
  t.equal(
    refusedParam(() => library.find('chat', 'fr')),
    'name',
  )
  t.equal(library.find('in', 'en'), 'English')
  t.equal(library.find('dangling', 'en'), null)
  t.same(library.languages(), ['en', 'pl'])
  look()
  library.languages()
  t.equal(warnings.length, 2, 'told once each, not at every look')
})

test('files swapped behind a link, as Kubernetes mounts them, are seen', async (t) => {
  const { library, dir, write, look } = open(t, { 'en/..1/chat.prompt': 'first', 'en/..2/chat.prompt': 'second' })
  symlinkSync('..1', join(dir, 'en/..data'))
  symlinkSync('..data/chat.prompt', join(dir, 'en/chat.prompt'))
  look()
  t.equal(library.find('chat', 'en'), 'first')
  symlinkSync('..2', join(dir, 'en/..new'))
  renameSync(join(dir, 'en/..new'), join(dir, 'en/..data'))
  look()
  t.equal(library.find('chat', 'en'), 'second')
  write('en/..2/chat.prompt', 'third')
  look()
  t.equal(library.find('chat', 'en'), 'third')
})

test('an empty, overlong or unreadable file is not a prompt, and is warned about', async (t) => {
  const { library, warnings, look, write, dir } = open(t, {
    'en/chat.prompt': 'English',
    'pl/chat.prompt': ' \n',
    'de/chat.prompt': 'x'.repeat(65_537),
    'fr/chat.prompt': 'x'.repeat(65_536),
    'es/chat.prompt/file': 'a folder of that name',
    'pl/notes.txt': 'not a prompt',
  })
  t.equal(library.find('chat', 'pl'), 'English')
  t.equal(library.find('chat', 'de'), 'English')
  t.equal(library.find('chat', 'es'), 'English')
  t.equal(library.find('chat', 'fr')?.length, 65_536)
  t.equal(warnings.length, 2)
  write('pl/chat.prompt', '\uFEFFPolski')
  look()
  t.equal(library.find('chat', 'pl'), 'Polski')
  if (process.getuid?.() === 0) return
  chmodSync(join(dir, 'fr/chat.prompt'), 0)
  look()
  t.equal(library.find('chat', 'fr'), 'English')
})

test('a closed library finds nothing and looks no more', async (t) => {
  const { library, look } = open(t, FILES)
  library.close()
  look()
  t.same([library.find('chat', 'en'), library.languages()], [null, []])
})

test('each conversation has its prompt in English and in Polish', async (t) => {
  const dir = new URL('../../../resources/prompts', import.meta.url).pathname
  const warnings: string[] = []
  const library: PromptLibrary = createPromptLibrary({
    dir,
    defaultLanguage: 'en',
    warn: (message) => warnings.push(message),
  })
  t.same([library.languages(), warnings], [['en', 'pl'], []])
  for (const name of ['chat', 'conversation', 'extended-conversation']) {
    t.match(library.find(name, 'en'), /^You are /)
    t.match(library.find(name, 'pl'), /^Jesteś /)
  }
})
