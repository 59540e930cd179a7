import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { t as tap, test } from 'tap'
import { type StoreReply } from '../../../src/responses/port/messages.js'
import { servePort } from '../../../src/responses/port/serve-port.js'
import { CAPS, createMemoryStore, storedResponse } from '../../helpers/responses.js'

// The ports keep no process alive, but the test waits for them.
const awake = setInterval(() => undefined, 1000)
tap.teardown(() => clearInterval(awake))

function replyOf(port: MessagePort): Promise<StoreReply> {
  return new Promise((resolve) => port.once('message', resolve))
}

test('each call is answered under its number, errors as plain data', async (t) => {
  const { port1, port2 } = new MessageChannel()
  const { store } = createMemoryStore()
  servePort(port2, store)
  port1.postMessage({ n: 7, name: 'put', args: [storedResponse('r1'), CAPS] })
  t.same(await replyOf(port1), { n: 7, value: undefined })
  port1.postMessage({ n: 8, name: 'get', args: ['a', 'r1'] })
  t.match(await replyOf(port1), { n: 8, value: { id: 'r1' } })
  port1.postMessage({ n: 9, name: 'delete', args: ['a', 'r1'] })
  t.same(await replyOf(port1), { n: 9, value: true })
  port1.postMessage({ n: 10, name: 'put', args: [storedResponse('r1'), { maxBytes: 1, maxBytesPerKey: 1 }] })
  t.match(await replyOf(port1), { n: 10, error: { code: 'storage_full', status: 507 } })
  port1.close()
})
