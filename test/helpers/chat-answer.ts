// Everything that events of a stream say to the playground.
import { type ChatApi } from '../../src/console/playground/chat-api.js'

/** What these events, or lines, say in an API. */
export function readAnswer(api: Pick<ChatApi, 'read'>, events: readonly (object | string)[]) {
  const said = { answer: '', thinking: '', reason: '', tokens: 0, failure: null as unknown, isWhole: false }
  for (const event of events) {
    api.read(typeof event === 'string' ? event : JSON.stringify(event), {
      text: (kind, text) => {
        said[kind] += text
      },
      finish: (reason) => {
        said.reason = reason
      },
      usage: (tokens) => {
        said.tokens = tokens
      },
      fail: (message) => {
        said.failure = message
      },
      close: () => {
        said.isWhole = true
      },
    })
  }
  return said
}
