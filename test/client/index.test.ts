// The package's `sluice/client` as its users get it: built by the package's own command, packed, imported by name in Node, compiled
// against in a program for browsers and one for Node; small, and without anything but itself.
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { test } from 'tap'
import * as client from '../../src/client/index.js'
import { bundleClient } from '../helpers/client-bundle.js'
import { ROOT } from '../helpers/gateway.js'
import { readText } from '../helpers/source-tree.js'

const run = promisify(execFile)

type Manifest = {
  readonly files: readonly string[]
  readonly exports: Readonly<Record<string, { readonly types: string; readonly default: string }>>
}

const MANIFEST = JSON.parse(readText('package.json')) as Manifest
const NAMES = ['ChatFailedError', 'SluiceSocket', 'StreamLostError', 'resumingFetch']
/** What a page has to load: the promise of the documentation. */
const MOST_BYTES = 6000

const USE = `
import { type ChatChunk, resumingFetch, SluiceSocket, StreamLostError } from 'sluice/client'
const ask: typeof fetch = resumingFetch({ maxOfflineMs: 1000 })
const socket = new SluiceSocket('wss://host/v1/ws', { token: async () => 'key' })
export async function words(): Promise<string> {
  const chat = socket.chat({ messages: [] })
  const off: () => void = chat.on('queued', ({ position, etaMs }) => void (position + (etaMs ?? 0)))
  off()
  let text = ''
  try {
    for await (const chunk of chat) text += chunk.choices[0]?.delta.content ?? ''
  } catch (error) {
    if (error instanceof StreamLostError) text += error.reason
  }
  const other = socket.chat<{ own: number }>({ messages: [] })
  other.on('event', (event) => void event.own.toFixed())
  for await (const event of socket.chat({ input: 'Hi' }, { api: 'responses' })) text += event.type satisfies string
  socket.chat<{ own: number }>({ max_tokens: 9, messages: [] }, { api: 'messages' }).on('event', ({ own }) => own.toFixed())
  // @ts-expect-error the chat API has messages
  socket.chat({ input: 'Hi' }, { api: 'chat' })
  const { outcome } = await chat.result
  return text + outcome + ((await ask('/x')) satisfies Response).status
}
export type Chunk = ChatChunk
`

test('the built client is small, imports nothing and has these names', async (t) => {
  const folder = bundleClient(join(t.testdir(), 'client'))
  const code = readFileSync(join(folder, 'index.js'))
  const sizes = { gzip: gzipSync(code).length, brotli: brotliCompressSync(code).length }
  t.comment(`${code.length} bytes, ${sizes.gzip} by gzip, ${sizes.brotli} by brotli`)
  t.ok(sizes.gzip < MOST_BYTES && sizes.brotli < MOST_BYTES, JSON.stringify(sizes))
  t.notMatch(code.toString(), /\b(?:import|require)\b[^.]/)
  t.notMatch(code.toString(), /\bprocess\b|\bBuffer\b|node:/)
  t.same(Object.keys(client).sort(), NAMES)
})

test('a program imports it by name, for browsers and for Node, and its types hold', async (t) => {
  const folder = t.testdir()
  const home = join(folder, 'node_modules/sluice')
  const { types, default: code } = MANIFEST.exports['./client'] ?? { types: '', default: '' }
  t.ok(MANIFEST.files.includes(code.split('/')[1] ?? ''), 'it is packed')
  bundleClient(join(home, dirname(code)))
  t.equal(dirname(types), dirname(code))
  cpSync(join(ROOT, 'package.json'), join(home, 'package.json'))
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  writeFileSync(join(folder, 'use.ts'), USE)
  writeFileSync(join(folder, 'run.js'), "console.log(Object.keys(await import('sluice/client')).sort().join())")
  const { stdout } = await run(process.execPath, ['run.js'], { cwd: folder })
  t.equal(stdout.trim(), NAMES.join())

  mkdirSync(join(folder, 'node_modules/@types'))
  for (const name of ['@types/node', 'undici-types'])
    symlinkSync(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name))
  const worlds = [
    ...['--lib', 'ES2023,DOM', '--types', '', '--module', 'esnext', '--moduleResolution', 'bundler'],
    ...['|', '--lib', 'ES2023', '--types', 'node', '--module', 'nodenext'],
  ]
  const split = worlds.indexOf('|')
  for (const options of [worlds.slice(0, split), worlds.slice(split + 1)]) {
    const args = [join(ROOT, 'node_modules/.bin/tsc'), '--ignoreConfig', '--noEmit', '--strict', ...options, 'use.ts']
    const compiled = await run(args[0] ?? '', args.slice(1), { cwd: folder }).catch(({ stdout }) => ({ stdout }))
    t.equal(compiled.stdout, '', options.join(' '))
  }
})
