// A running gateway whose log is rotated: by each signal that asks for it, and without one. No signal but those that end a
// process ends it, and none opens the inspector.
import { once } from 'node:events'
import { existsSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { request } from 'undici'
import { type Running, startGateway, type Teardown } from '../helpers/gateway.js'

async function start(t: Teardown, server: object = {}): Promise<{ gateway: Running; path: string }> {
  const gateway = await startGateway(t, { config: { server, providers: { sim: {} }, log: { file: 'log' } } })
  return { gateway, path: join(gateway.folder, 'log') }
}

async function ask({ origin }: Running): Promise<string> {
  const answer = await request(`${origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'nowhere/x', messages: [] }),
  })
  await answer.body.dump()
  return String(answer.headers['x-request-id'])
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 5))
}

test('each signal of a log rotation opens the file anew on all event loops, and no line is lost', async (t) => {
  const { gateway, path } = await start(t, { threads: 2, port: 20_000 + Math.floor(Math.random() * 10_000) })
  const ids: string[] = []
  const files = [path]
  for (const signal of ['SIGUSR1', 'SIGUSR2', 'SIGHUP'] as const) {
    for (let i = 0; i < 10; i++) ids.push(await ask(gateway))
    files.push(`${path}.${signal}`)
    renameSync(path, `${path}.${signal}`)
    for (let i = 0; i < 10; i++) ids.push(await ask(gateway))
    gateway.child.kill(signal)
    await until(() => existsSync(path))
  }
  for (let i = 0; i < 10; i++) ids.push(await ask(gateway))
  t.equal(await gateway.stop(), 0)
  const logged = files
    // A file that was opened and moved away again before the next line is empty.
    .flatMap((file) =>
      readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => line !== ''),
    )
    .map((line) => JSON.parse(line).id)
  for (const id of ids) t.equal(logged.filter((each) => each === id).length, 1, id)
  t.notMatch(gateway.errorOutput, /Debugger listening/)
})

test('a file that is moved away without a word is followed', async (t) => {
  const { gateway, path } = await start(t)
  renameSync(path, `${path}.1`)
  await until(() => existsSync(path))
  const id = await ask(gateway)
  await until(() => readFileSync(path, 'utf8').includes(id))
  t.ok(readFileSync(path, 'utf8').endsWith('\n'))
})

test('without a log file the signals do nothing', async (t) => {
  const gateway = await startGateway(t, { config: { providers: { sim: {} } } })
  for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) gateway.child.kill(signal)
  const id = await ask(gateway)
  t.match(await gateway.exchange(id), { status: 400 })
  gateway.child.kill('SIGTERM')
  const [code] = await once(gateway.child, 'exit')
  t.equal(code, 0)
  t.notMatch(gateway.errorOutput, /Debugger listening/)
})
