// A further event loop's way to the supervisor, which alone can connect it with other threads: it asks for ports, and gets them in the
// order in which it asked.
import { type MessagePort } from 'node:worker_threads'
import { type FromFrontend, type PeerPurpose, type StoreThread, type ToFrontend } from './messages.js'

/** The supervisor, as a further event loop sees it. */
export class LoopParent {
  readonly #port: Pick<MessagePort, 'postMessage' | 'on' | 'off'>

  constructor(port: Pick<MessagePort, 'postMessage' | 'on' | 'off'>) {
    this.#port = port
  }

  tell(message: FromFrontend): void {
    this.#port.postMessage(message)
  }

  /** A port to the thread of a store. @throws with the reason why there is none */
  async connectStore(store: StoreThread): Promise<MessagePort> {
    const { port, reason } = await this.#ask({ type: 'connect-store', store }, (message) =>
      message.type === 'store-port' && message.store === store ? message : null,
    )
    if (port === null) throw new Error(reason)
    return port
  }

  /** A port to what another event loop holds; null if there is no such loop. */
  async connectLoop(loopIndex: number, purpose: PeerPurpose): Promise<MessagePort | null> {
    const { port } = await this.#ask({ type: 'connect-loop', loopIndex, purpose }, (message) => {
      const isAnswer = message.type === 'loop-port' && message.loopIndex === loopIndex && message.purpose === purpose
      return isAnswer ? message : null
    })
    return port
  }

  #ask<Answer>(message: FromFrontend, find: (told: ToFrontend) => Answer | null): Promise<Answer> {
    return new Promise((resolve) => {
      const onMessage = (told: ToFrontend): void => {
        const answer = find(told)
        if (answer === null) return
        this.#port.off('message', onMessage)
        resolve(answer)
      }
      this.#port.on('message', onMessage)
      this.tell(message)
    })
  }
}
