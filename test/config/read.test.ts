// The edge that does I/O: real files, a real listener on loopback, and this process's own environment left as it is.
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { test } from 'tap'
import { getLocal, readCatalog, readConfig } from '../../src/config/read.js'
import { CATALOG, refusalOf } from './sources.js'

test('the shipped catalogue is read', (t) => {
  t.ok(readCatalog().profiles.length >= 15)
  t.end()
})

test('the configuration is read from a file on disk', (t) => {
  const folder = t.testdir({ 'a.yaml': 'server: { drainMs: 1234 }\noffload: { workers: auto }\n', cert: 'x' })
  const { config, configFile } = readConfig({ config: `${folder}/a.yaml` }, CATALOG)
  t.equal(config.server.drainMs, 1234)
  t.ok(config.offload.workers >= 1)
  t.equal(configFile, `${folder}/a.yaml`)
  t.end()
})

test('certificate files are looked for on disk', (t) => {
  const folder = t.testdir({ 'cert.pem': 'x' })
  const tls = `server: { tls: { certFile: ${folder}/cert.pem, keyFile: ${folder}/no.pem } }`
  writeFileSync(`${folder}/a.yaml`, tls)
  t.equal(
    refusalOf(() => readConfig({ config: `${folder}/a.yaml` }, CATALOG)),
    `${folder}/a.yaml:\nserver.tls.keyFile: names a file that cannot be read (line 1)`,
  )
  t.end()
})

test('a file that is there but cannot be read says so', (t) => {
  const folder = t.testdir({})
  mkdirSync(`${folder}/dir.yaml`)
  chmodSync(`${folder}/dir.yaml`, 0o700)
  t.match(
    refusalOf(() => readConfig({ config: `${folder}/dir.yaml` }, CATALOG)),
    /dir\.yaml cannot be read: EISDIR$/,
  )
  t.end()
})

async function listening(listener: RequestListener): Promise<{ url: string; close(): void }> {
  const server = createServer(listener)
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/v1/models`,
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

test('a 200 answer gives its body', async (t) => {
  const { url, close } = await listening((_, answer) => answer.end('{"data":[]}'))
  t.teardown(close)
  t.equal(await getLocal(url, 2000), '{"data":[]}')
})

test('other statuses, endless bodies, broken answers and silence give null', async (t) => {
  const notFound = await listening((_, answer) => answer.writeHead(404).end('{}'))
  const endless = await listening((_, answer) => {
    const chunk = 'x'.repeat(65_536)
    const write = (): void => {
      while (!answer.destroyed && answer.write(chunk));
    }
    answer.on('drain', write)
    write()
  })
  const broken = await listening((_, answer) => {
    answer.writeHead(200, { 'content-length': '100' })
    answer.write('x', () => answer.destroy())
  })
  const silent = await listening(() => undefined)
  t.teardown(() => {
    for (const server of [notFound, endless, broken, silent]) server.close()
  })
  t.equal(await getLocal(notFound.url, 2000), null)
  t.equal(await getLocal(endless.url, 5000), null)
  t.equal(await getLocal(broken.url, 2000), null)
  t.equal(await getLocal(silent.url, 50), null)
})

test('a body of more than a mebibyte is no list of models, though it ends', async (t) => {
  for (const [bytes, isRead] of [
    [1_048_576, true],
    [1_048_577, false],
  ] as const) {
    const { url, close } = await listening((_, answer) => answer.end('x'.repeat(bytes)))
    t.teardown(close)
    t.equal((await getLocal(url, 20_000)) !== null, isRead, `${bytes}`)
  }
})

test('a refused port gives null at once', async (t) => {
  const server = createTcpServer()
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  await new Promise<void>((done) => server.close(() => done()))
  const startedAt = performance.now()
  t.equal(await getLocal(`http://127.0.0.1:${port}/`, 60_000), null)
  t.ok(performance.now() - startedAt < 50_000)
})
