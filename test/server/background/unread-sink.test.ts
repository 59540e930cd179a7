import { test } from 'tap'
import { UnreadSink } from '../../../src/server/background/unread-sink.js'
import { StreamLog } from '../../../src/streams/log.js'
import { turn } from '../../helpers/background.js'
import { COMPLETE } from '../../helpers/fake-pipeline.js'

test('a stream is read to its end, so that its exchange goes on to its own', async (t) => {
  const sink = new UnreadSink()
  t.equal(sink.transport, 'json')
  sink.begin({ headers: [], contentType: 'text/event-stream', transport: 'sse' })
  t.equal(sink.transport, 'sse')
  sink.keepalive()
  sink.reply()
  let abandoned = 0
  const log = new StreamLog({ capBytes: 10, retainBytes: 0 }, () => void abandoned++)
  const done: unknown[] = []
  sink.follow(
    (onReadable) => log.attach(onReadable),
    (delivery) => done.push(delivery),
  )
  for (const text of ['a', 'b'.repeat(9), 'c'.repeat(9)]) {
    log.append(Buffer.from(text))
    await turn()
  }
  t.same([done, abandoned], [[], 0], 'however long it is')
  log.close(COMPLETE)
  await turn()
  t.same(done, [{ result: 'delivered', bytes: 0 }])
})
