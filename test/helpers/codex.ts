// The Codex CLI, run once against a gateway: its own configuration and home, nothing of the user's.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type JsonObject } from '../../src/model/json.js'
import { findProgram } from './find-program.js'

export type CodexRun = {
  readonly events: readonly CodexEvent[]
  readonly status: number | null
  readonly stderr: string
}
/** A line of `codex exec --json`; an item has its own type. */
export type CodexEvent = JsonObject & { readonly item?: JsonObject }

export type CodexOptions = {
  readonly program: string
  /** Empty, and the run's own. */
  readonly folder: string
  readonly origin: string
  readonly key: string
  readonly model: string
  readonly overWebSocket: boolean
  readonly prompt: string
}

/** The program that SLUICE_TEST_CODEX names, else the first in PATH; null if there is none. */
export function findCodex(env: NodeJS.ProcessEnv = process.env): string | null {
  return env.SLUICE_TEST_CODEX || findProgram(['codex'], env)
}

/** Runs one prompt to its end. */
export async function runCodex({ program, folder, overWebSocket, prompt, ...reach }: CodexOptions): Promise<CodexRun> {
  const [home, work] = [join(folder, 'home'), join(folder, 'work')]
  mkdirSync(home)
  mkdirSync(work)
  writeFileSync(join(home, 'config.toml'), configOf(reach, overWebSocket))
  const args = ['exec', '--skip-git-repo-check', '--json', prompt]
  const child = spawn(program, args, {
    cwd: work,
    env: { PATH: process.env.PATH, HOME: home, CODEX_HOME: home, SLUICE_KEY: reach.key },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [out, err] = [collect(child.stdout), collect(child.stderr)]
  const [status] = (await once(child, 'close')) as [number | null]
  const lines = out.text.split('\n').filter((line) => line.startsWith('{'))
  return { events: lines.map((line) => JSON.parse(line) as CodexEvent), status, stderr: err.text }
}

function configOf({ origin, model }: Pick<CodexOptions, 'origin' | 'model'>, overWebSocket: boolean): string {
  return `model = "${model}"
model_provider = "sluice"
approval_policy = "never"
sandbox_mode = "danger-full-access"
[analytics]
enabled = false
[model_providers.sluice]
name = "sluice"
base_url = "${origin}/v1"
env_key = "SLUICE_KEY"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0
supports_websockets = ${overWebSocket}
`
}

function collect(stream: NodeJS.ReadableStream): { text: string } {
  const all = { text: '' }
  stream.on('data', (bytes: Buffer) => {
    all.text += bytes.toString()
  })
  return all
}
