// A store thread that opens, and dies of the first call.
import { type MessagePort, parentPort } from 'node:worker_threads'

parentPort?.on('message', ({ port }: { port: MessagePort }) => {
  port?.on('message', () => {
    throw new Error('the disk fell out')
  })
})
parentPort?.postMessage({ type: 'opened' })
