// The sink of an exchange without a client: whole answers go to the store, and a stream that is not kept is read to its end by nobody.
import { type Delivery, type Sink, type StreamHead } from '../../pipeline/sink.js'
import { type FrameReader } from '../../streams/reader.js'
import { type Transport } from '../../telemetry/records.js'

export class UnreadSink implements Sink {
  #transport: Transport = 'json'

  get transport(): Transport {
    return this.#transport
  }

  reply(): void {
    // It has been stored.
  }

  begin({ transport }: StreamHead): void {
    this.#transport = transport
  }

  keepalive(): void {
    // Nobody waits.
  }

  follow(attach: (onReadable: () => void) => FrameReader, onDone: (delivery: Delivery) => void): void {
    let reader: FrameReader | null = null
    const take = (): void => {
      if (reader === null) return
      while (reader.read() !== null);
      if (reader.end() === null && !reader.isCut) return
      reader.detach()
      reader = null
      onDone({ result: 'delivered', bytes: 0 })
    }
    reader = attach(take)
    take()
  }
}
