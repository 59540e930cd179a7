// What is fetched for one exchange: how many of its URLs, what it holds and when that is given back, and what has no room.
import { test } from 'tap'
import { type JsonObject } from '../../src/model/json.js'
import { Attachments } from '../../src/pipeline/attachments.js'
import { heldFetcher } from '../helpers/held-fetcher.js'
import { PipelineRig, turn } from '../helpers/pipeline.js'
import { STREAMS } from '../helpers/pipeline-wires.js'

const URLS = ['https://example.com/1.png', 'https://example.com/2.png', 'https://example.com/3.png']
const OF = { requestId: 'req-1', key: { index: 0 } }

function withImages(...urls: string[]): JsonObject {
  const images = urls.map((url) => ({ type: 'image_url', image_url: { url } }))
  return { messages: [{ role: 'user', content: [{ type: 'text', text: 'What?' }, ...images] }] }
}

test('what is fetched is held until an answer begins, and then given back, whatever the stream goes on to do', async (t) => {
  const { fetches, fetching, memory } = heldFetcher()
  const rig = new PipelineRig({ fetching, imageUrls: false })
  await rig.ask({ model: 'other', body: withImages(...URLS.slice(0, 2)) })
  t.equal(memory.held, 2, 'while it is fetched')
  fetches[1]?.reject()
  await turn()
  t.equal(memory.held, 1, 'what has not come holds nothing')
  rig.pipeline.endAll()
  t.equal(memory.held, 0)
  const again = await rig.ask({ model: 'other', body: withImages(URLS[0] ?? '') })
  fetches[2]?.resolve()
  await turn()
  t.equal(memory.held, 1)
  rig.call.head().send(STREAMS[rig.call.wire].head, ...STREAMS[rig.call.wire].content)
  await turn()
  t.equal(memory.held, 0)
  t.equal(again.answers.length, 0)
  rig.pipeline.endAll()
})

test('a client that leaves gives back what is being fetched', async (t) => {
  const { fetches, fetching, memory } = heldFetcher()
  const rig = new PipelineRig({ fetching, imageUrls: false })
  const sink = await rig.ask({ model: 'other', body: withImages(...URLS.slice(0, 2)) })
  fetches[0]?.resolve()
  await turn()
  sink.leave()
  await turn()
  t.equal(memory.held, 0)
  t.equal(fetches[1]?.signal.aborted, true)
})

test('without room the request is refused as the budget says, tried nowhere else, and holds nothing', async (t) => {
  const { fetches, fetching, memory } = heldFetcher({ room: 1 })
  const rig = new PipelineRig({ fetching, imageUrls: false, retries: { max: 3 } })
  const sink = await rig.ask({ model: 'other', stream: false, body: withImages(...URLS.slice(0, 2)) })
  await turn()
  t.match(sink.answers[0], { status: 429, error: { code: 'rate_limited', message: 'no room', retryAfterMs: 1000 } })
  t.equal(memory.held, 0)
  t.equal(fetches.length, 2)
  t.equal(fetches[0]?.signal.aborted, true, 'the one that had room has ended')
  t.equal(rig.calls.length, 0)
  t.equal(rig.pipeline.openCount(), 0)
  t.equal(rig.record.attempts, 1)
})

test('of all targets of a request together no more is fetched than one request may have', async (t) => {
  const { fetches, fetching, memory } = heldFetcher()
  const { parts } = new PipelineRig({ fetching })
  const attachments = new Attachments(parts, fetching, OF)
  const first = attachments.fetch([URLS[0] ?? ''], Number.POSITIVE_INFINITY)
  fetches[0]?.resolve()
  await first
  const second = attachments.fetch(URLS.slice(1), Number.POSITIVE_INFINITY)
  t.equal(fetches.length, 2)
  fetches[1]?.resolve()
  await second
  t.same(
    attachments.known.map(({ url, source }) => [url, source !== null]),
    [
      [URLS[0], true],
      [URLS[1], true],
      [URLS[2], false],
    ],
  )
  t.equal(memory.held, 2)
})

test('what is dropped while it is fetched ends the fetch, and nothing of it is kept', async (t) => {
  const { fetches, fetching, memory } = heldFetcher()
  const { parts } = new PipelineRig({ fetching })
  const attachments = new Attachments(parts, fetching, OF)
  const fetched = attachments.fetch(URLS.slice(0, 2), Number.POSITIVE_INFINITY)
  fetches[0]?.resolve()
  await turn()
  attachments.drop()
  attachments.drop()
  t.equal(memory.held, 0)
  t.ok(fetches[1]?.signal.aborted)
  await fetched
  t.same(attachments.known, [])
})
