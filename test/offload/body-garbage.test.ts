// Bodies are freed by young collections, in time for none of them to begin a full one.
import { test } from 'tap'
import { BodyGarbage, collectYoung } from '../../src/offload/body-garbage.js'

const MB = 1024 * 1024

test('young objects are collected once for each 16 MB of bodies, after the turn', async (t) => {
  let collections = 0
  const garbage = new BodyGarbage(() => {
    collections += 1
  })
  const turn = () => new Promise((resolve) => setImmediate(resolve))
  for (let i = 0; i < 15; i++) garbage.note(MB)
  await turn()
  t.equal(collections, 0)
  garbage.note(MB)
  t.equal(collections, 0, 'not within the request')
  await turn()
  t.equal(collections, 1)
  for (let i = 0; i < 16; i++) garbage.note(MB)
  await turn()
  t.equal(collections, 2)
})

test('small bodies are none of its business', async (t) => {
  let collections = 0
  const garbage = new BodyGarbage(() => {
    collections += 1
  })
  for (let i = 0; i < 100_000; i++) garbage.note(1024)
  await new Promise((resolve) => setImmediate(resolve))
  t.equal(collections, 0)
})

test('a young collection frees the bodies that nobody has any more, and no others', async (t) => {
  const held = Buffer.alloc(MB, 1)
  const before = process.memoryUsage().arrayBuffers
  for (let i = 0; i < 24; i++) Buffer.allocUnsafeSlow(MB).fill(i)
  t.ok(process.memoryUsage().arrayBuffers >= before + 16 * MB, 'V8 has not collected them by itself')
  // The second one waits for the sweeping that the first one has begun.
  collectYoung()
  collectYoung()
  t.ok(process.memoryUsage().arrayBuffers < before + 4 * MB)
  t.equal(held[MB - 1], 1)
  t.equal((globalThis as { gc?: unknown }).gc, undefined, 'nothing is exposed')
})
