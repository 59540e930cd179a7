// An image by URL on its way through the pipeline: fetched for a target that takes bytes, once, and until the client leaves.
import { test } from 'tap'
import { type JsonObject } from '../../../src/model/json.js'
import { heldFetcher } from '../../helpers/held-fetcher.js'
import { PipelineRig, turn } from '../../helpers/pipeline.js'
import { sentBytes } from '../../helpers/sent-bytes.js'

const URLS = ['https://example.com/1.png', 'https://example.com/2.png', 'https://example.com/3.png']

function withImages(...urls: string[]): JsonObject {
  const images = urls.map((url) => ({ type: 'image_url', image_url: { url } }))
  return { messages: [{ role: 'user', content: [{ type: 'text', text: 'What?' }, ...images] }] }
}

function sentBody(rig: PipelineRig): string {
  return sentBytes(rig.call.request.body).toString()
}

test('a target that takes bytes gets what was fetched; one attempt is counted', async (t) => {
  const { fetches, fetching } = heldFetcher()
  const rig = new PipelineRig({ fetching, imageUrls: false })
  const sink = await rig.ask({ model: 'other', stream: false, body: withImages(URLS[0] ?? '') })
  t.equal(rig.calls.length, 0, 'nothing is sent before it has come')
  t.strictSame(
    fetches.map(({ url }) => url),
    [URLS[0]],
  )
  fetches[0]?.resolve()
  await turn()
  t.match(sentBody(rig), /"media_type":"image\/png","data":"QQ=="/)
  rig.call.stream()
  await turn()
  t.equal(sink.answers[0]?.status, 200)
  t.equal(rig.record.attempts, 1)
})

test('content that could not be fetched is rejected by its path, without the reason', async (t) => {
  const { fetches, fetching } = heldFetcher()
  const rig = new PipelineRig({ fetching, imageUrls: false })
  const sink = await rig.ask({ model: 'other', stream: false, body: withImages(URLS[0] ?? '') })
  fetches[0]?.reject()
  await turn()
  t.equal(sink.answers[0]?.status, 400)
  t.match(sink.answers[0]?.error, { param: 'messages.0.content.1', message: /could not be fetched/ })
  t.notMatch(sink.answers[0]?.error?.message, /refused/)
  t.equal(rig.calls.length, 0)
})

test('more than may be fetched of one request are not asked for', async (t) => {
  const { fetches, fetching } = heldFetcher()
  const rig = new PipelineRig({ fetching, imageUrls: false })
  const sink = await rig.ask({ model: 'other', stream: false, body: withImages(...URLS) })
  t.equal(fetches.length, 2)
  for (const fetch of fetches) fetch.resolve()
  await turn()
  t.match(sink.answers[0]?.error, { param: 'messages.0.content.3' })
})

test('a fetch may take its own time and no more than the client has left, and is none of the gateway’s', async (t) => {
  const { fetches, fetching } = heldFetcher()
  const rig = new PipelineRig({ fetching, imageUrls: false })
  await rig.ask({ model: 'other', stream: false, body: withImages(URLS[0] ?? '') })
  rig.nowMs += 400
  fetches[0]?.resolve()
  await turn()
  rig.call.stream()
  await turn()
  t.match(rig.record, { totalMs: 400, overheadMs: 0 })
  await rig.ask({
    ...{ model: 'other', stream: false, body: withImages(URLS[0] ?? '') },
    parameterHeaders: { 'x-sluice-timeout-ms': '300' },
  })
  t.strictSame(
    fetches.map(({ withinMs }) => withinMs),
    [1000, 300],
  )
  rig.pipeline.endAll()
})

test('the log has the host of what could not be fetched and the reason, and nothing else of the address', async (t) => {
  const { fetches, fetching } = heldFetcher()
  const rig = new PipelineRig({ fetching, imageUrls: false })
  const lines: unknown[] = []
  Object.assign(rig.parts.log, { warn: (fields: object, message: string) => lines.push([fields, message]) })
  await rig.ask({ model: 'other', stream: false, body: withImages('https://example.com/1.png?token=t0psecret') })
  fetches[0]?.reject()
  await turn()
  t.strictSame(lines, [[{ id: 'req-1', host: 'example.com', reason: 'refused' }, 'attachment fetch failed']])
})

test('a client that leaves ends the fetch, and everything is released', async (t) => {
  const { fetches, fetching } = heldFetcher()
  const rig = new PipelineRig({ fetching, imageUrls: false })
  const sink = await rig.ask({ model: 'other', body: withImages(URLS[0] ?? '') })
  sink.leave()
  await turn()
  t.equal(fetches[0]?.signal.aborted, true)
  t.equal(rig.record.outcome, 'client_gone')
  t.equal(rig.calls.length, 0)
  t.equal(rig.pipeline.openCount(), 0)
})

test('nothing is fetched for a target that takes URLs, and nothing without the option', async (t) => {
  const { fetches, fetching } = heldFetcher()
  const taking = new PipelineRig({ fetching })
  await taking.ask({ model: 'other', body: withImages(URLS[0] ?? '') })
  t.match(sentBody(taking), /"type":"url"/)
  t.equal(fetches.length, 0)
  taking.pipeline.endAll()
  const without = new PipelineRig({ imageUrls: false })
  const sink = await without.ask({ model: 'other', stream: false, body: withImages(URLS[0] ?? '') })
  t.match(sink.answers[0]?.error, { param: 'messages.0.content.1', message: /base64/ })
})
