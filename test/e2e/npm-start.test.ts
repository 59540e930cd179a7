// `npm start` in a clone that was never built, as a newcomer runs it: it bundles from the sources, serves the page, and ends with Ctrl-C.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'tap'
import { ROOT } from '../helpers/gateway.js'

const CLONED = ['src', 'workers', 'resources', 'package.json', 'tsconfig.json']

test('npm start serves from the sources alone, again and again, and Ctrl-C in mid-stream ends it', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-start-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  for (const name of CLONED) cpSync(join(ROOT, name), join(folder, name), { recursive: true })
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  for (let run = 0; run < 2; run++) {
    // A group of its own: a terminal sends its signal to all of it.
    const npm = spawn('npm', ['start', '--', '--port', '0'], { cwd: folder, detached: true })
    const group = -(npm.pid ?? 0)
    t.teardown(() => npm.exitCode === null && npm.signalCode === null && process.kill(group, 'SIGKILL'))
    const url = await addressIn(createInterface(npm.stdout))
    t.equal((await fetch(`${url}/try`)).status, 200)
    t.match(await (await fetch(`${url}/try/try.js`)).text(), 'Gemini')
    const stream = await fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'sim/echo', stream: true, messages: [{ role: 'user', content: 'Hi you' }] }),
    })
    const exited = once(npm, 'exit')
    process.kill(group, 'SIGINT')
    t.match(await stream.text(), /data: \[DONE\]\n\n$/, 'what streams may end')
    const [code, signal] = await exited
    // npm passes on by which signal it was ended itself, once the gateway has ended.
    t.ok(code === 0 || signal === 'SIGINT', `${code} ${signal}`)
    t.notOk(existsSync(join(folder, 'dist/src')), 'nothing is compiled')
  }
})

async function addressIn(lines: AsyncIterable<string>): Promise<string> {
  for await (const line of lines) {
    if (line.startsWith('{')) return (JSON.parse(line) as { url: string }).url
  }
  throw new Error('npm start ended without an address')
}
