// A new user's first minutes: start without anything, paste the printed curl, check a configuration, stop.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { test } from 'tap'
import { request } from 'undici'
import { MAIN, simulatedProviders, startGateway, startSimulator, type Teardown } from '../helpers/gateway.js'

const run = promisify(execFile)

function folderOf(t: Teardown): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-test-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Runs a command of the entry to its end; `code` is its exit code. */
async function sluice(
  args: string[],
  env: Record<string, string> = {},
): Promise<{ code: number; out: string; err: string }> {
  try {
    const { stdout, stderr } = await run(process.execPath, [MAIN, ...args], {
      env: { PATH: process.env.PATH ?? '', ...env },
    })
    return { code: 0, out: stdout, err: stderr }
  } catch (thrown) {
    const failed = thrown as { code?: number; stdout?: string; stderr?: string }
    return { code: failed.code ?? -1, out: failed.stdout ?? '', err: failed.stderr ?? '' }
  }
}

test('without any key or file the simulator serves, and the printed curl streams when pasted', async (t) => {
  const gateway = await startGateway(t, { args: ['--port', '0'] })
  const line = /^Sluice .*$/m.exec(gateway.errorOutput)?.[0] ?? ''
  for (const model of ['sim/echo', 'sim/lorem', 'sim/tools', 'sim/reason']) t.match(line, model)
  const curl = /Try: (curl .*)$/.exec(line)?.[1] ?? ''
  const { stdout } = await run('bash', ['-c', `${curl} -sS`])
  t.match(stdout, /^data: \{.*"content":/m)
  t.match(stdout, /data: \[DONE\]\n\n$/)
  const models = await request(`${gateway.origin}/v1/models`)
  t.match(await models.body.json(), { object: 'list', data: [{ object: 'model' }] })
})

test('standard output is JSON from its first line on, which has the address', async (t) => {
  const gateway = await startGateway(t, { config: { providers: { sim: {} }, models: { fast: 'sim/echo' } } })
  t.equal(await gateway.stop(), 0)
  for (const text of gateway.output) t.doesNotThrow(() => JSON.parse(text), text)
  const { origin } = gateway
  t.match(gateway.lines[0], { level: 'info', msg: 'listening', url: origin, providers: ['sim'], models: ['fast'] })
  const pretty = await startGateway(t, { config: { providers: { sim: {} }, log: { format: 'pretty' } } })
  t.match(pretty.output.join('\n'), /^Sluice \S+ on http:/m, 'people find the line where they look')
})

test('health routes answer without a key, readyz turns 503 while draining, and exit is 0', async (t) => {
  const simulator = await startSimulator(t, ['--tokens-per-second', '20'])
  const gateway = await startGateway(t, {
    config: {
      server: { drainMs: 5000 },
      keys: [{ name: 'test', key: 'test-key-0123456789abcdef' }],
      providers: simulatedProviders(simulator.origin),
    },
  })
  for (const path of ['/livez', '/readyz', '/health', '/healthz', '/v1/health', '/ping', '/api/ping']) {
    const answer = await request(gateway.origin + path)
    t.equal(answer.statusCode, 200, path)
    t.type(await answer.body.json(), 'object')
  }
  const stream = await request(`${gateway.origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': 'test-key-0123456789abcdef' },
    body: JSON.stringify({
      model: 'openai/lorem-max',
      stream: true,
      max_tokens: 20,
      messages: [{ role: 'user', content: 'Hi' }],
    }),
  })
  const stopped = gateway.stop('SIGTERM')
  t.match(await stream.body.text(), /\[DONE\]/, 'an open stream runs to its end')
  t.equal(await stopped, 0)
})

test('streams that outlive the drain get an error frame, outcome drained, exit 0', async (t) => {
  const simulator = await startSimulator(t, ['--tokens-per-second', '10'])
  const gateway = await startGateway(t, {
    config: { server: { drainMs: 300 }, providers: simulatedProviders(simulator.origin) },
  })
  const stream = await request(`${gateway.origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      model: 'openai/lorem-max',
      stream: true,
      max_tokens: 2000,
      messages: [{ role: 'user', content: 'Hi' }],
    }),
  })
  const stopped = gateway.stop('SIGTERM')
  const text = await stream.body.text()
  t.match(text, /data: \{"error":\{/)
  t.notOk(text.includes('[DONE]'))
  t.equal(await stopped, 0)
  t.ok(gateway.lines.some((line) => line.outcome === 'drained'))
  t.match(gateway.errorOutput, /Draining: open streams may go on for up to 1 s/, 'who waits is told why')
})

test('check prints the effective configuration with secrets masked, or names path, reason and line', async (t) => {
  const folder = folderOf(t)
  const good = join(folder, 'good.yaml')
  writeFileSync(
    good,
    'keys:\n  - { name: a, key: "secret-gateway-key-1" }\nproviders:\n  openai: { apiKey: "sk-secret-provider-key" }\n',
  )
  const checked = await sluice(['check', '--config', good])
  t.equal(checked.code, 0, checked.err)
  t.match(checked.out, /maxBodyBytes: 20971520/)
  t.notMatch(checked.out, /secret-gateway-key-1|sk-secret-provider-key/)
  const bad = join(folder, 'bad.yaml')
  writeFileSync(bad, 'server:\n  port: 3000\n  keepAliveMs: 5\n')
  const refused = await sluice(['check', '--config', bad])
  t.equal(refused.code, 1)
  t.match(refused.err, /server\.keepAliveMs/)
  t.match(refused.err, /line 3/)
  t.match(refused.err, /keepaliveMs/, 'the nearest known key')
})

test('reports problems with their file, and a valid configuration with a verdict', async (t) => {
  const folder = folderOf(t)
  const file = join(folder, 'own.yaml')
  writeFileSync(file, 'server: { port: 0 }\nproviders: { sim: {} }\n')
  t.match((await sluice(['check', '--config', file])).out, new RegExp(`\\n# valid: ${file} \\(no warnings\\)\\n$`))
  writeFileSync(file, 'server: { port: 0, tls: { certFile: own.yaml, keyFile: nope.pem } }\n')
  for (const command of ['check', 'start']) {
    const { code, err } = await sluice([command, '--config', file])
    t.equal(code, 1)
    t.match(err, `${file}:\n`)
    t.match(err, /server\.tls\.keyFile: names a file that cannot be read \(line 1\)/)
  }
  writeFileSync(file, `server: { port: 0, tls: { certFile: ${file}, keyFile: ${file} } }\n`)
  for (const command of ['check', 'start']) {
    t.match(
      (await sluice([command, '--config', file])).err,
      'server.tls.certFile: contains no PEM certificate (line 1)',
    )
  }
  const faults = await sluice(['simulate', '--faults', join(folder, 'nope.json')])
  t.equal(faults.code, 1)
  t.match(faults.err, /--faults: the file .*nope\.json does not exist/)
})

test('a provider whose variable is misspelt stops start and check, and no simulator serves in its place', async (t) => {
  const folder = folderOf(t)
  const file = join(folder, 'sluice.yaml')
  writeFileSync(
    file,
    `server: { port: 0 }
keys: [ { name: a, key: "0123456789abcdef" } ]
providers: { openai: { apiKey: "\${OPENAI_KEY_TYPO}" } }
`,
  )
  for (const command of ['start', 'check']) {
    const { code, out, err } = await sluice([command, '--config', file], { OPENAI_API_KEY_: 'sk-x' })
    t.equal(code, 1, command)
    t.match(err, /providers: none is usable \(openai: OPENAI_KEY_TYPO is not set\).* \(line 3\)/, command)
    t.equal(out, '', `${command} prints no configuration and no address`)
  }
})

test('a provider that is left out beside another one is a warning of start and of check', async (t) => {
  const folder = folderOf(t)
  const file = join(folder, 'sluice.yaml')
  writeFileSync(
    file,
    `server: { port: 0 }
providers: { openai: { apiKey: "\${OPENAI_KEY_TYPO}" }, sim: {} }
`,
  )
  const checked = await sluice(['check', '--config', file])
  t.equal(checked.code, 0, checked.err)
  t.match(checked.out, /^# warning: provider openai is ignored: OPENAI_KEY_TYPO is not set$/m)
  const gateway = await startGateway(t, { args: ['--config', file] })
  t.match(gateway.errorOutput, /warning: provider openai is ignored: OPENAI_KEY_TYPO is not set/)
  const answer = await request(`${gateway.origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'sim/echo', messages: [{ role: 'user', content: 'Hello' }] }),
  })
  t.equal(answer.statusCode, 200, 'the simulator serves where it is asked for')
  t.match(await answer.body.json(), { choices: [{ message: { content: /Hello/ } }] })
})

test('without gateway keys no address but loopback is bound, and the refusal says why', async (t) => {
  const refused = await sluice(['start', '--port', '0'], { HOST: '0.0.0.0' })
  t.equal(refused.code, 1)
  t.match(refused.err, /loopback|API_KEYS/)
})

test('a port that is taken is a clear error, not a shared port', async (t) => {
  const gateway = await startGateway(t, { args: ['--port', '0'] })
  const { port } = new URL(gateway.origin)
  const second = await sluice(['start', '--port', port])
  t.equal(second.code, 1)
  t.match(second.err, new RegExp(port))
})

test('help and version print and end', async (t) => {
  t.match((await sluice(['--help'])).out, /Usage: sluice/)
  t.match((await sluice(['--version'])).out, /^\d+\.\d+\.\d+\n$/)
  const wrong = await sluice(['strat'])
  t.equal(wrong.code, 1)
  t.match(wrong.err, /did you mean "start"/)
})

test('a gateway whose standard output is closed continues to serve', async (t) => {
  const folder = folderOf(t)
  const simulator = await startSimulator(t)
  const file = join(folder, 'sluice.json')
  const port = 20_000 + Math.floor(Math.random() * 10_000)
  writeFileSync(file, JSON.stringify({ server: { port }, providers: simulatedProviders(simulator.origin) }))
  const child = spawn(process.execPath, [MAIN, 'start', '--config', file], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  child.stdout.destroy()
  const body = JSON.stringify({ model: 'openai/echo', messages: [{ role: 'user', content: 'Hi' }] })
  for (let i = 0; i < 3; i++) {
    const answer = await request(`http://127.0.0.1:${port}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    })
    await answer.body.dump()
    t.equal(answer.statusCode, 200)
  }
  t.equal(child.exitCode, null)
})
