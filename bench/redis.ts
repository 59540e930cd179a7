// A Redis of a bench's own, and what it says of its work.
import { spawnSync } from 'node:child_process'
import { freePort } from '../test/helpers/free-port.js'
import { start, stop } from './children.js'
import { cpuMs } from './stats.js'

export type BenchRedis = {
  readonly url: string
  /** Calls of scripts and commands by gateways so far, those within scripts not counted, and its CPU time. */
  look(): { readonly calls: number; readonly cpuMs: number }
  stop(): void
}

const READY_TRIES = 200
const READY_STEP_MS = 25
/** Sent by gateways for each call of a script; what a script calls is counted as well and is not one of these. */
const FROM_OUTSIDE = /^cmdstat_(?:evalsha|eval|fcall):calls=(\d+)/gm

/** Null where redis-server is not installed. */
export async function startRedis(): Promise<BenchRedis | null> {
  if (spawnSync('redis-server', ['--version']).error !== undefined) return null
  const port = await freePort()
  const child = start('redis-server', ['--port', `${port}`, '--bind', '127.0.0.1', '--save', ''])
  const ask = (...words: string[]) => spawnSync('redis-cli', ['-p', `${port}`, ...words], { encoding: 'utf8' }).stdout
  for (let i = 0; i < READY_TRIES && ask('ping').trim() !== 'PONG'; i++) {
    await new Promise((resolve) => setTimeout(resolve, READY_STEP_MS))
  }
  return {
    url: `redis://127.0.0.1:${port}`,
    look: () => {
      const stats = ask('info', 'commandstats')
      const calls = [...stats.matchAll(FROM_OUTSIDE)].reduce((total, [, count]) => total + Number(count), 0)
      return { calls, cpuMs: cpuMs(child.pid ?? 0) }
    },
    stop: () => stop(child),
  }
}
