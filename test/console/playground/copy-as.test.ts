// The copied code is what it was made from, whatever the prompt contains: each program is run by its own interpreter as far as it parses.
import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import { test } from 'tap'
import { allApis } from '../../../src/console/playground/apis/all-apis.js'
import { COPY_LANGUAGES, codeOf } from '../../../src/console/playground/copy-as.js'

const run = promisify(execFile)
const URL = 'http://127.0.0.1:3000/v1/chat/completions'
const HOSTILE = `it's "quoted" $HOME \`id\` \\ \${process.exit(1)} </script>\n'''"""`
const REQUEST = {
  url: URL,
  api: allApis()[0],
  body: { model: 'a', messages: [{ role: 'user', content: HOSTILE }] },
  needsKey: false,
}

test('a shell passes the body of the copied curl on as it is', async (t) => {
  const command = codeOf('curl', REQUEST)
  t.match(command, /^curl -N '/)
  const words = execFileSync('bash', ['-c', command.replace('curl', "printf '%s\\0'")], { encoding: 'utf8' }).split(
    '\0',
  )
  t.same(JSON.parse(words.at(-2) ?? ''), REQUEST.body)
  t.ok(words.includes(URL))
})

test('the copied JavaScript sends the same body', async (t) => {
  const fetched =
    'globalThis.fetch = (url, { body }) => { process.stdout.write(JSON.stringify([url, body])); process.exit(0) };'
  const { stdout } = spawnSync(
    process.execPath,
    ['--input-type=module', '-e', fetched + codeOf('JavaScript', REQUEST)],
    {
      encoding: 'utf8',
    },
  )
  const [url, body] = JSON.parse(stdout) as [string, string]
  t.same([url, JSON.parse(body)], [URL, REQUEST.body])
})

test('the copied Python sends the same body', async (t) => {
  const stop = codeOf('Python', REQUEST).replace(
    'with urllib.request.urlopen',
    'print(request.data.decode())\nexit()\nwith urllib.request.urlopen',
  )
  const { stdout, status, error } = spawnSync('python3', ['-c', stop], { encoding: 'utf8' })
  if (error !== undefined) t.comment('no python3 here')
  else t.same([status, JSON.parse(stdout)], [0, REQUEST.body])
})

test('where keys are needed the code reads one from the environment', async (t) => {
  for (const language of COPY_LANGUAGES) {
    t.match(codeOf(language, { ...REQUEST, needsKey: true }), 'SLUICE_KEY', language)
    t.notMatch(codeOf(language, REQUEST), /SLUICE_KEY|authorization/i, language)
  }
})

test('the copied programs print the text of an answer in each API', async (t) => {
  const events = [
    [{ choices: [{ delta: { content: 'Flüsse' } }] }, { choices: [], usage: {} }],
    [{ type: 'message_start' }, { type: 'content_block_delta', delta: { type: 'text_delta', text: 'Flüsse' } }],
    [{ type: 'response.created' }, { type: 'response.output_text.delta', delta: 'Flüsse' }],
    [{ candidates: [{ content: { parts: [{ text: 'Flü' }, { text: 'sse' }] } }] }, { usageMetadata: {} }],
    [{ message: { role: 'assistant', content: 'Flüsse' }, done: false }, { done: true }],
  ]
  let answer = ''
  const server = createServer((_req, res) => res.end(answer))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  t.equal(events.length, allApis().length)
  for (const [index, api] of allApis().entries()) {
    const said = (events[index] ?? []).map((event) => JSON.stringify(event))
    answer =
      api.framing === 'sse'
        ? `: keepalive\n\n${said.map((data) => `data: ${data}\n\n`).join('')}data: [DONE]\n\n`
        : said.map((line) => `${line}\n`).join('')
    const request = { ...REQUEST, url, api }
    const script = await run(process.execPath, ['--input-type=module', '-e', codeOf('JavaScript', request)])
    t.equal(script.stdout, 'Flüsse', api.name)
    const python = await run('python3', ['-c', codeOf('Python', request)]).catch((error: { code?: string }) => error)
    if ('stdout' in python) t.equal(python.stdout, 'Flüsse', api.name)
    else t.equal(python.code, 'ENOENT')
  }
})
