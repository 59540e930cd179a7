// A real PostgreSQL on a free port, of this test file alone, in a folder of its own. It refuses to run as root, so that it then runs as
// the user that Debian's package has made for it.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { freePort } from './free-port.js'
import { type Teardown } from './gateway.js'

/** Debian's packages keep them out of PATH, one folder for each version. */
const VERSIONS = '/usr/lib/postgresql'
const START_MS = 60_000
const USER = 'postgres'

export type PostgresServer = {
  readonly port: number
  /** A new, empty database, by its URL; `password` does not matter. */
  createDatabase(): Promise<string>
  /** Runs SQL as the owner of everything. */
  run(url: string, text: string): Promise<Record<string, unknown>[]>
  /** At once, as by a power cut. */
  kill(): Promise<void>
  start(): Promise<void>
  /** It answers no more, and closes no connection. */
  freeze(): void
  thaw(): void
}

/** Starts one and waits until it answers. */
export async function startPostgres(t: Teardown): Promise<PostgresServer> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-postgres-'))
  const data = join(folder, 'data')
  const owner = ownerOf()
  if (owner !== null) chownSync(folder, owner.uid, owner.gid)
  const as = owner === null ? {} : owner
  execFileSync(
    programOf('initdb'),
    ['-D', data, '-U', USER, '-A', 'trust', '--no-sync', '-E', 'UTF8', '--locale=C.UTF-8'],
    {
      ...{ stdio: 'pipe', cwd: folder },
      ...as,
    },
  )
  const port = await freePort()
  let child: ChildProcess | null = null
  const kill = async (): Promise<void> => {
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGCONT')
    child.kill('SIGQUIT')
    await once(child, 'exit')
  }
  const start = async (): Promise<void> => {
    const settings = [
      'listen_addresses=127.0.0.1',
      `unix_socket_directories=${folder}`,
      'fsync=off',
      'max_connections=40',
    ]
    const args = ['-D', data, '-p', `${port}`, ...settings.flatMap((setting) => ['-c', setting])]
    child = spawn(programOf('postgres'), args, { stdio: ['ignore', 'ignore', 'pipe'], cwd: folder, ...as })
    child.stderr?.resume()
    await answers(port, child)
  }
  t.teardown(async () => {
    await kill()
    rmSync(folder, { recursive: true, force: true })
  })
  process.once('exit', () => child?.kill('SIGQUIT'))
  await start()
  const urlOf = (database: string): string => `postgres://${USER}:canary-password@127.0.0.1:${port}/${database}`
  let databases = 0
  return {
    ...{ port, kill, start, run },
    async createDatabase() {
      databases += 1
      await run(urlOf('postgres'), `create database test${databases}`)
      return urlOf(`test${databases}`)
    },
    freeze: () => signalAll(child, 'SIGSTOP'),
    thaw: () => signalAll(child, 'SIGCONT'),
  }
}

async function run(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => undefined)
  await client.connect()
  try {
    return (await client.query(text)).rows as Record<string, unknown>[]
  } finally {
    await client.end()
  }
}

/** The server and the processes of its connections. */
function signalAll(child: ChildProcess | null, signal: NodeJS.Signals): void {
  if (child?.pid === undefined) return
  const children = execFileSync('ps', ['-o', 'pid=', '--ppid', `${child.pid}`], { encoding: 'utf8' })
  for (const pid of children.split('\n').map(Number)) if (pid > 0) process.kill(pid, signal)
  child.kill(signal)
}

function ownerOf(): { readonly uid: number; readonly gid: number } | null {
  if (process.getuid?.() !== 0) return null
  const [uid = 0, gid = 0] = ['-u', '-g'].map((flag) => Number(execFileSync('id', [flag, USER], { encoding: 'utf8' })))
  return { uid, gid }
}

function programOf(name: string): string {
  const newest = readdirSync(VERSIONS).sort((a, b) => Number(b) - Number(a))[0]
  if (newest === undefined) throw new Error(`no PostgreSQL in ${VERSIONS}`)
  return join(VERSIONS, newest, 'bin', name)
}

async function answers(port: number, child: ChildProcess): Promise<void> {
  const deadlineMs = performance.now() + START_MS
  while (performance.now() < deadlineMs && child.exitCode === null) {
    try {
      await run(`postgres://${USER}@127.0.0.1:${port}/postgres`, 'select 1')
      return
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
  throw new Error(`PostgreSQL does not answer on port ${port}`)
}
