// Server-sent events, wherever their bytes are cut.
import { test } from 'tap'
import { readEvents, readLines, type ServerEvent } from '../../src/console/event-stream.js'

const TEXT =
  ': keepalive\n\nevent: frames\ndata: {"text":"Flüsse"}\n\ndata: a\ndata:b\n\nevent: end\ndata: {}\n\ndata: cut off'

function bodyOf(text: string, pieceBytes: number): Response {
  const bytes = new TextEncoder().encode(text)
  return new Response(
    new ReadableStream<Uint8Array>({
      start(controller) {
        for (let at = 0; at < bytes.length; at += pieceBytes) controller.enqueue(bytes.subarray(at, at + pieceBytes))
        controller.close()
      },
    }),
  )
}

test('whole events come out, comments and what was cut off do not', async (t) => {
  for (const pieceBytes of [1, 2, 7, 1000]) {
    const events: ServerEvent[] = []
    for await (const event of readEvents(bodyOf(TEXT, pieceBytes))) events.push(event)
    t.same(events, [
      { event: 'frames', data: '{"text":"Flüsse"}' },
      { event: 'message', data: 'a\nb' },
      { event: 'end', data: '{}' },
    ])
  }
})

test('lines come out whole, the last one as well, and empty ones do not', async (t) => {
  for (const pieceBytes of [1, 2, 7, 1000]) {
    const lines: string[] = []
    for await (const line of readLines(bodyOf('{"a":"Flüsse"}\n\r\n \n{"b":1}\n{"c":2}', pieceBytes))) lines.push(line)
    t.same(lines, ['{"a":"Flüsse"}', '{"b":1}', '{"c":2}'])
  }
})

test('a reader that leaves takes no more of the body', async (t) => {
  let isCancelled = false
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new TextEncoder().encode('data: a\n\n')),
    cancel() {
      isCancelled = true
    },
  })
  for await (const _ of readEvents(new Response(body))) break
  t.ok(isCancelled)
  for await (const _ of readEvents(new Response(null))) t.fail('there is nothing')
})
