// The side of a port that has the store: answers the calls of another event loop, one by one.
import { type MessagePort } from 'node:worker_threads'
import { toGatewayError } from '../../errors.js'
import { type ResponseStore } from '../store.js'
import { type StoreCall, type StoreReply } from './messages.js'

/** Serves the store until the other end closes. */
export function servePort(port: MessagePort, store: ResponseStore): void {
  const send = (reply: StoreReply): void => port.postMessage(reply)
  port.on('message', (call: StoreCall) => {
    void answer(store, call).then(
      (value) => send({ n: call.n, value }),
      (thrown: unknown) => send({ n: call.n, error: toGatewayError(thrown).data }),
    )
  })
  port.unref()
}

async function answer(store: ResponseStore, call: StoreCall): Promise<unknown> {
  switch (call.name) {
    case 'put':
      return await store.put(...call.args)
    case 'advance':
      return await store.advance(...call.args)
    case 'get':
      return await store.get(...call.args)
    case 'delete':
      return await store.delete(...call.args)
    case 'findItems':
      return await store.findItems(...call.args)
  }
}
