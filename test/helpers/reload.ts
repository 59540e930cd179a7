// Reloads of a running gateway, by signal, and its metrics before and after.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { request } from 'undici'
import { type LogLine, type Running } from './gateway.js'
import { parsePage, type Sample } from './prometheus.js'

/** What opens the metrics; every configuration that `reload` writes has it. */
export const METRICS_TOKEN = 'scrape'

/** Not the line that nothing has changed: the file's own watch may have been quicker than the signal. */
const RELOAD_LINE = /^(configuration reloaded$|configuration reload rejected)/
const isReload = ({ msg }: LogLine): boolean => RELOAD_LINE.test(msg ?? '')

/** Writes what the file shall hold, signals, and resolves with the line that tells what became of it. */
export async function reload(gateway: Running, config: object | string): Promise<LogLine> {
  const before = gateway.lines.filter(isReload).length
  const text = typeof config === 'string' ? config : JSON.stringify({ metrics: { token: METRICS_TOKEN }, ...config })
  writeFileSync(join(gateway.folder, 'sluice.json'), text)
  gateway.child.kill('SIGHUP')
  return gateway.logLine(
    (line) =>
      isReload(line) &&
      gateway.lines.filter(isReload).length > before &&
      line === gateway.lines.filter(isReload).at(-1),
  )
}

export async function scrape(gateway: Running): Promise<readonly Sample[]> {
  const page = await request(`${gateway.origin}/metrics`, { headers: { authorization: `Bearer ${METRICS_TOKEN}` } })
  return parsePage(await page.body.text()).samples
}
