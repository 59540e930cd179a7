// Processes that accept and run jobs until they are killed (job-child), and the check of what they wrote down.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Test } from 'tap'

const CHILD = fileURLToPath(new URL('./job-child.js', import.meta.url))

export type Child = {
  readonly process: ChildProcess
  readonly ended: Promise<unknown>
  readonly signs: () => Promise<unknown>
}

/** Starts one; `signs` resolves with its next dot. */
export function startChild(t: Test, ...args: string[]): Child {
  return startScript(t, CHILD, ...args)
}

/** The same with another script. */
export function startScript(t: Test, ...args: string[]): Child {
  const process = spawn(globalThis.process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => process.kill('SIGKILL'))
  const output = process.stdout as NodeJS.ReadableStream
  return { process, ended: once(process, 'close'), signs: () => once(output, 'data') }
}

export function newDirectory(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-kill-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** What the processes wrote down, checked: every job that was said to be accepted has ended. */
export function checkSaid(
  t: Test,
  file: string,
): { accepted: string[]; ended: Map<string, string[]>; said: string[][] } {
  const said = readFileSync(file, 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
  t.same(
    said.filter(([word]) => word === 'trouble'),
    [],
  )
  const accepted = said.flatMap(([word, id = '']) => (word === 'accepted' ? [id] : []))
  const ended = new Map(said.flatMap(([word, id = '', ...rest]) => (word === 'ended' ? [[id, rest] as const] : [])))
  const lost = accepted.filter((id) => !['completed', 'error'].includes(ended.get(id)?.[0] ?? 'lost'))
  t.same(lost, [])
  t.ok(
    [...ended.values()].every(([, , webhook]) => webhook === 'due' || webhook === 'undefined'),
    'and each has its webhook to send',
  )
  return { accepted, ended, said }
}
