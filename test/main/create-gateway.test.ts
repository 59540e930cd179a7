// A gateway inside another program: nothing starts before it is told to, and nothing keeps the program alive afterwards.
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { test } from 'tap'
import { createGateway } from '../../src/main/create-gateway.js'
import { ROOT } from '../helpers/gateway.js'

const run = promisify(execFile)
const CONFIG = {
  server: { port: 0, threads: 2 },
  log: { level: 'silent' },
  providers: { sim: {} },
  models: { echo: 'sim/echo' },
}

const PROGRAM = `
const { createGateway } = await import('${ROOT}dist/src/main/create-gateway.js')
const gateway = createGateway({ config: ${JSON.stringify(CONFIG)} })
const said = [gateway.address, process.getActiveResourcesInfo().filter((name) => /Socket|Server|Timeout|Port/.test(name)).length]
const [url, again] = await Promise.all([gateway.listen(), gateway.listen()])
said.push(url === again && url === gateway.address)
const answer = await fetch(url + '/v1/chat/completions', {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ model: 'echo', messages: [{ role: 'user', content: 'Hi' }] }),
})
said.push(answer.status, (await answer.json()).choices[0].message.content)
await Promise.all([gateway.close(), gateway.close()])
said.push(gateway.address, await gateway.listen().catch((error) => error.message))
said.push(await fetch(url).then(() => 'answers', () => 'refuses'))
console.log(JSON.stringify(said))`

test('it listens when told, answers, closes, and lets the program end', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-embedded-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'program.mjs'), PROGRAM)
  // Without the program's own end in time this rejects.
  const { stdout } = await run(process.execPath, ['program.mjs'], { cwd: folder, timeout: 120_000 })
  t.same(JSON.parse(stdout), [null, 0, true, 200, 'Hi', null, 'the gateway is closed', 'refuses'])
})

test('a configuration that is wrong is told when it is to listen, with each problem', async (t) => {
  const gateway = createGateway({ config: { server: { prot: 1 } } })
  await t.rejects(gateway.listen(), { message: /server\.prot/ })
  t.equal(gateway.address, null)
  await gateway.close()
  const missing = createGateway({ config: '/nowhere/sluice.yaml' })
  await t.rejects(missing.listen(), { message: /\/nowhere\/sluice\.yaml does not exist/ })
})

test('one that never listened closes at once', async (t) => {
  const gateway = createGateway()
  await gateway.close()
  await t.rejects(gateway.listen(), { message: 'the gateway is closed' })
})
