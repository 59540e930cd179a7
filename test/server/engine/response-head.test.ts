// The head in two calls to the engine, and what is left out of it.
import { test } from 'tap'
import { type HttpResponse } from '../../../src/server/engine/engine.js'
import { writeHead } from '../../../src/server/engine/response-head.js'

function write(status: number, ...lists: (readonly (readonly [string, string])[])[]) {
  const calls: string[] = []
  const res = {
    writeStatus: (text: string) => calls.push(text),
    writeHeader: (name: string, value: string) => calls.push(`${name}: ${value}`),
  }
  const bytes = writeHead(res as unknown as HttpResponse, status, lists)
  return { calls, bytes }
}

test('writes the status and all headers of all lists, in order', async (t) => {
  const { calls, bytes } = write(
    404,
    [['a', '1']],
    [],
    [
      ['b', '2'],
      ['c', '3'],
    ],
  )
  t.strictSame(calls, ['404 Not Found', 'a: 1\r\nb: 2\r\nc: 3'])
  t.ok(bytes > 3 * 6)
  t.strictSame(write(299).calls, ['299 Unknown'])
})

test('leaves out what would begin another header, and what leaves no room in a cork', async (t) => {
  const { calls, bytes } = write(200, [
    ['a', 'x\r\nevil: 1'],
    ['b', 'x\0'],
    ['c', 'x'.repeat(9000)],
    ['d', 'kept'],
  ])
  t.strictSame(calls, ['200 OK', 'd: kept'])
  t.ok(bytes < 8 * 1024)
})
