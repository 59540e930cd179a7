// Compressed answers though identity was asked: unpacked in order under a cap, or refused with a clear error.
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import { type Test, test } from 'tap'
import { Decompressor, isCompressed } from '../../src/upstream/decompress.js'
import {
  answer,
  chunk,
  LAST_CHUNK,
  type Script,
  ScriptedUpstream,
  streamHead,
  whole,
} from '../helpers/scripted-upstream.js'
import { testProvider } from '../helpers/targets.js'
import { type ProbeOptions, probe, testUpstream } from '../helpers/upstream-probe.js'

const TEXT = 'data: {"x":"äöü"}\n\n'.repeat(200)
const CAP = 100_000
const LATIN = Buffer.from(TEXT).toString('latin1')

async function run(t: Test, script: Script, options: ProbeOptions = {}) {
  const server = await ScriptedUpstream.listen(script)
  const { upstream, pools } = testUpstream(CAP)
  t.teardown(() => Promise.all([pools.close(0), server.close()]))
  const seen = probe(upstream, testProvider(server.origin), options)
  return { server, seen, done: await seen.done() }
}

const CODINGS: ReadonlyArray<readonly [string, Buffer]> = [
  ['gzip', gzipSync(TEXT)],
  ['x-gzip', gzipSync(TEXT)],
  ['GZIP', gzipSync(TEXT)],
  ['deflate', deflateSync(TEXT)],
  ['deflate', deflateRawSync(TEXT)],
  ['br', brotliCompressSync(TEXT)],
]
for (const [coding, packed] of CODINGS) {
  test(`unpacks a whole ${coding} answer of ${packed.length} bytes`, async (t) => {
    const { done } = await run(t, answer(whole(200, packed, [`content-encoding: ${coding}`])))
    t.equal(done.body, LATIN)
    t.equal(done.events.at(-1), 'end')
    t.equal(done.call?.bytesReceived, packed.length)
  })
}

test('unpacks a gzip stream cut at every third byte, in order', async (t) => {
  const packed = gzipSync(TEXT)
  const steps = []
  for (let at = 0; at < packed.length; at += 3) steps.push(chunk(packed.subarray(at, at + 3)))
  const { done } = await run(t, answer(streamHead(['content-encoding: gzip']), ...steps, LAST_CHUNK))
  t.equal(done.body, LATIN)
})

test('ends a bomb at the cap and closes the socket', async (t) => {
  const bomb = gzipSync(Buffer.alloc(50_000_000))
  const { done, server } = await run(t, answer(streamHead(['content-encoding: gzip']), chunk(bomb), { stall: true }))
  t.equal(done.code, 'upstream_malformed')
  t.match(done.error?.message, /more than 100000 bytes decompressed/)
  t.ok(done.body.length <= CAP)
  await server.until(() => server.closed >= 1)
})

for (const coding of ['gzip, gzip', 'zstd', 'compress', 'aws-chunked']) {
  test(`refuses ${coding} before the head`, async (t) => {
    const { done } = await run(t, answer(whole(200, gzipSync(gzipSync(TEXT)), [`content-encoding: ${coding}`])))
    t.same(done.events, ['error upstream_malformed'])
  })
}

test('refuses bytes that are not what the header says', async (t) => {
  const { done } = await run(t, answer(whole(200, 'plain text', ['content-encoding: gzip'])))
  t.equal(done.code, 'upstream_malformed')
  t.match(done.error?.message, /cannot be decompressed/)
})

test('a packed body that is truncated is not a complete answer', async (t) => {
  const packed = gzipSync(TEXT)
  const { done } = await run(t, answer(whole(200, packed.subarray(0, -10), ['content-encoding: gzip'])))
  t.equal(done.code, 'upstream_malformed')
})

test('an empty body with a content-encoding is an empty answer', async (t) => {
  const { done } = await run(t, answer(whole(204, '', ['content-encoding: gzip'])))
  t.same(done.events, ['head 204', 'end'])
})

test('identity is no compression', (t) => {
  t.notOk(isCompressed(undefined))
  t.notOk(isCompressed('identity'))
  t.notOk(isCompressed(''))
  t.ok(isCompressed('gzip'))
  t.ok(isCompressed(['gzip', 'br']))
  t.end()
})

test('gives nothing after destroy', async (t) => {
  const events: string[] = []
  const sink = {
    onBytes: () => void events.push('bytes'),
    onEnd: () => void events.push('end'),
    onError: () => void events.push('error'),
  }
  const decompressor = new Decompressor('gzip', CAP, sink)
  decompressor.write(gzipSync(TEXT))
  decompressor.end()
  decompressor.destroy()
  decompressor.write(gzipSync(TEXT))
  decompressor.end()
  await new Promise((resolve) => setTimeout(resolve, 50))
  t.same(events, [])
})

test('an abort while bytes are being unpacked gives nothing more', async (t) => {
  const server = await ScriptedUpstream.listen(answer(streamHead(['content-encoding: gzip']), chunk(gzipSync(TEXT))))
  const { upstream, pools } = testUpstream(CAP)
  t.teardown(() => Promise.all([pools.close(0), server.close()]))
  const seen = probe(upstream, testProvider(server.origin), { onEvent: (_event, self) => self.call?.abort() })
  await server.until(() => server.closed >= 1)
  t.same(seen.events, ['head 200'])
})

test('a handler that throws on unpacked bytes fails its own call as internal', async (t) => {
  const { done } = await run(t, answer(whole(200, gzipSync(TEXT), ['content-encoding: gzip'])), {
    onEvent: (event) => {
      if (event === 'bytes') throw new Error('bug')
    },
  })
  t.equal(done.code, 'internal')
})

test('a sink that throws at the end gets its error once', async (t) => {
  const errors: string[] = []
  await new Promise<void>((resolve) => {
    const decompressor = new Decompressor('br', CAP, {
      onBytes: () => undefined,
      onEnd: () => {
        throw new Error('bug')
      },
      onError: (error) => {
        errors.push(error.data.code)
        resolve()
      },
    })
    decompressor.end()
  })
  t.same(errors, ['internal'])
})
