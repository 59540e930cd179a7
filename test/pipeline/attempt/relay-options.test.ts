// What a relay is made from: what the upstream says of its body counts.
import { test } from 'tap'
import { PipelineRig, turn } from '../../helpers/pipeline.js'
import { breaches } from '../../helpers/pipeline-breaches.js'
import { OPENAI, STREAMS, WHOLES } from '../../helpers/pipeline-wires.js'

test('the upstream’s content type decides how its body is read, in any case of letters', async (t) => {
  const stream =
    STREAMS[OPENAI].head + STREAMS[OPENAI].content.join('') + STREAMS[OPENAI].finish + STREAMS[OPENAI].marker
  const table = [
    // client streams, content type, body
    [true, 'text/event-stream', stream],
    [true, 'application/json; charset=utf-8', WHOLES[OPENAI]],
    [true, 'Application/JSON', WHOLES[OPENAI]],
    [true, '', stream],
    [true, 'text/plain', stream],
    [false, 'application/json', WHOLES[OPENAI]],
    [false, '', WHOLES[OPENAI]],
    [false, 'TEXT/event-stream', stream],
  ] as const
  for (const [isStream, contentType, body] of table) {
    const rig = new PipelineRig()
    const sink = await rig.ask({ stream: isStream })
    rig.call
      .head(200, contentType === '' ? {} : { 'content-type': contentType })
      .send(body)
      .end()
    await turn()
    t.equal(rig.record.outcome, 'complete', `${isStream} ${contentType}`)
    t.equal(sink.answers.length, isStream ? 0 : 1)
    t.match(rig.record.usage, { inputTokens: 11, outputTokens: 7 })
    t.same(breaches(rig, [sink]), [])
  }
})
