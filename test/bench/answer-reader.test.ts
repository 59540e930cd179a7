// What the load generators count must be right however the bytes are cut, or the figures are of something else.
import { test } from 'tap'
import { AnswerReader } from '../../bench/answer-reader.js'

const EVENT = 'data: {"word":1}\n\n'

function chunked(...payloads: string[]): Buffer {
  const chunks = payloads.map((payload) => `${payload.length.toString(16)}\r\n${payload}\r\n`)
  return Buffer.from(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunks.join('')}0\r\n\r\n`)
}

function readIn(reader: AnswerReader, pieces: readonly Buffer[]): AnswerReader {
  reader.begin()
  for (const piece of pieces) reader.push(piece)
  return reader
}

test('counts the events of a chunked answer however it is cut, and sees its end', async (t) => {
  const payload = EVENT.repeat(3)
  // A chunk may end inside of a marker.
  for (const answer of [chunked(EVENT, EVENT, EVENT), chunked(payload.slice(0, 20), payload.slice(20))]) {
    for (let cut = 1; cut < answer.length; cut++) {
      const reader = new AnswerReader({ marker: 'data: ', keeps: true })
      readIn(reader, [answer.subarray(0, cut), answer.subarray(cut)])
      t.same([reader.status, reader.events, reader.isOver, reader.isBroken], [200, 3, true, false], `cut at ${cut}`)
      t.equal(reader.payload.toString(), payload)
    }
    const reader = readIn(
      new AnswerReader({ marker: 'data: ' }),
      [...answer].map((byte) => Buffer.from([byte])),
    )
    t.same([reader.events, reader.isOver, reader.tail], [3, true, payload], 'byte by byte')
  }
})

test('an answer with a length ends with it, and the next one on the connection begins anew', async (t) => {
  const answer = Buffer.from('HTTP/1.1 503 Busy\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}')
  const reader = new AnswerReader({ marker: 'data: ' })
  readIn(reader, [answer.subarray(0, answer.length - 1)])
  t.equal(reader.isOver, false)
  reader.push(answer.subarray(-1))
  t.same([reader.status, reader.isOver, reader.isLast], [503, true, true])
  readIn(reader, [chunked(EVENT)])
  t.same([reader.status, reader.events, reader.isOver, reader.isLast], [200, 1, true, false])
})

test('reports broken framing', async (t) => {
  const reader = new AnswerReader({ marker: 'data: ' })
  readIn(reader, [Buffer.from('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n')])
  t.same([reader.isOver, reader.isBroken], [true, true])
})
