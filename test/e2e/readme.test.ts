// The examples of README and docs as their reader runs them: every curl and every JavaScript block against a gateway without any
// configuration; Python is compiled at least.
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { test } from 'tap'
import { MAIN, ROOT, type Running, startGateway, type Teardown } from '../helpers/gateway.js'
import { type Block, fencedBlocks, PAGES } from '../helpers/markdown.js'

const run = promisify(execFile)

type Example = Block & { readonly page: string }

const BLOCKS: readonly Example[] = PAGES.flatMap(({ path, text }) =>
  fencedBlocks(text).map((block) => ({ ...block, page: path })),
)
/** Its commands follow each other, in a test of their own: team-keys.test.ts. */
const ONE_SHELL = 'docs/guide/team-keys.md'
/** Node 20 has a WebSocket behind this flag, later versions have it without. */
const FLAGS = 'WebSocket' in globalThis ? [] : ['--experimental-websocket']

function ofLanguage(language: string): Example[] {
  return BLOCKS.filter((block) => block.language === language && (language !== 'sh' || block.page !== ONE_SHELL))
}

function whereOf({ page, line }: Example): string {
  return `${page}, line ${line}`
}

function fileNameOf({ page, line }: Example): string {
  return `${page.replace(/\W/g, '_')}_${line}`
}

/** The admin API's default address. */
const ADMIN = '127.0.0.1:3001'

/** The example with this gateway's address in place of the default one. */
function aimed(block: Block, gateway: Running): string {
  return block.text.replaceAll('127.0.0.1:3000', new URL(gateway.origin).host)
}

function folderOf(t: Teardown): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-readme-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  // As in a reader's project: the libraries, and this package beside them.
  const modules = join(folder, 'node_modules')
  mkdirSync(modules)
  for (const name of readdirSync(join(ROOT, 'node_modules')).filter((name) => !name.startsWith('.'))) {
    symlinkSync(join(ROOT, 'node_modules', name), join(modules, name))
  }
  symlinkSync(ROOT, join(modules, 'sluice'))
  return folder
}

/** How an answer begins and ends, by what is in the URL. */
const EVENTS = [/^data: \{.*"content":"Tell"/m, /^data: \[DONE\]$/m] as const
const SHAPES: readonly (readonly [path: string, shape: readonly [begin: RegExp, end: RegExp]])[] = [
  [':3000/stream ', [/^\{"result":"Tell/, /rivers\."\}$/]],
  ['/api/', [/^\{.*"content":"Tell"/m, /^\{.*"finish_reason":"stop"\}\]\}\n$/m]],
]

/** Answered at once, with what becomes of them. */
const JOB = [/^\{"request_id":"job_/, /"active_requests":\d\}$/] as const

test('each curl of the documentation streams a complete answer or creates a job', async (t) => {
  const asIs = await startGateway(t, { args: ['--port', '0'] })
  const queueing = await startGateway(t, { args: ['--port', '0'], env: { ASYNC_BY_DEFAULT: 'true' } })
  const blocks = ofLanguage('sh').filter((block) => block.text.startsWith('curl ') && !block.text.includes(ADMIN))
  t.ok(blocks.length > 0)
  for (const block of blocks) {
    const isStream = / -N /.test(block.text)
    const gateway = isStream ? asIs : queueing
    const { stdout } = await run('bash', ['-c', `${aimed(block, gateway)} `.replace('curl ', 'curl -sS --fail ')])
    const [begin, end] = SHAPES.find(([path]) => block.text.includes(path))?.[1] ?? (isStream ? EVENTS : JOB)
    t.match(stdout, begin, whereOf(block))
    t.match(stdout, end, whereOf(block))
  }
})

test('each curl of the admin API is answered by its listener', async (t) => {
  const folder = folderOf(t)
  const config = { admin: { port: 0 }, accounts: { store: 'sqlite', path: join(folder, 'accounts.db') } }
  const env = { ADMIN_KEY: 'admin-key-0123456789' }
  const gateway = await startGateway(t, { config, env })
  const { admin } = await gateway.logLine(({ msg }) => msg === 'listening')
  const blocks = ofLanguage('sh').filter((block) => block.text.startsWith('curl ') && block.text.includes(ADMIN))
  t.ok(blocks.length >= 2)
  for (const block of blocks) {
    const command = block.text.replaceAll(ADMIN, new URL(String(admin)).host).replace('curl ', 'curl -sS --fail ')
    const { stdout } = await run('bash', ['-c', command], { env: { ...process.env, ...env } })
    t.type(JSON.parse(stdout), 'object', whereOf(block))
  }
})

test('each JavaScript example of the documentation runs and prints the answer', async (t) => {
  const gateway = await startGateway(t, { args: ['--port', '0'] })
  const folder = folderOf(t)
  const blocks = ofLanguage('js')
  t.ok(blocks.length >= 3)
  for (const block of blocks) {
    const file = join(folder, `${fileNameOf(block)}.mjs`)
    writeFileSync(file, aimed(block, gateway))
    const { stdout, stderr } = await run(process.execPath, ['--no-warnings', ...FLAGS, file], { timeout: 20_000 })
    // The words of one chat; what is told of the ends of chats may stand between them.
    const words = stdout.replace(/^[ab] (?:done|error).*$/gm, '').replaceAll('\n', '')
    t.match(words, /Tell me about rivers\./, whereOf(block))
    t.equal(stderr, '', whereOf(block))
    if (!block.text.includes('cancel')) continue
    t.match(stdout, /^a done complete$/m, 'one chat ends by itself')
    t.match(stdout, /^b done client_gone$/m, 'the other is cancelled')
  }
})

test('each Python example of the documentation compiles', async (t) => {
  const folder = folderOf(t)
  const hasPython = await run('python3', ['--version']).then(
    () => true,
    () => false,
  )
  if (!hasPython) {
    t.pass('compiles', { skip: 'there is no python3' })
    return
  }
  const blocks = ofLanguage('python')
  t.ok(blocks.length >= 2)
  for (const block of blocks) {
    const file = join(folder, `${fileNameOf(block)}.py`)
    writeFileSync(file, block.text)
    await t.resolves(run('python3', ['-m', 'py_compile', file]), whereOf(block))
  }
})

test('each configuration of the documentation is taken as it is', async (t) => {
  const shown: string[] = []
  for (const block of ofLanguage('yaml')) {
    const folder = folderOf(t)
    writeFileSync(join(folder, 'sluice.yaml'), block.text)
    const named = Array.from(block.text.matchAll(/\$\{(\w+)\}/g), ([, name]) => [name, 'a-secret-0123456789'])
    // Some are parts, of a gateway with keys and a provider.
    const rest = { API_KEYS: 'team-b-key-0123456789', OPENAI_API_KEY: 'sk-x' }
    const env = { PATH: process.env.PATH ?? '', ...rest, ...Object.fromEntries(named) }
    const { stdout } = await run(process.execPath, [MAIN, 'check'], { cwd: folder, env })
    t.notMatch(stdout, /# warning/, whereOf(block))
    shown.push(stdout)
  }
  t.match(shown.join(''), /requestsPerMinute: 600/)
})
