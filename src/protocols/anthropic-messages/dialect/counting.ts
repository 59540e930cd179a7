// POST /messages/count_tokens: the input tokens of a request, counted by the provider without running it.
// @see https://platform.claude.com/docs/en/api/messages-count-tokens
import { type JsonObject } from '../../../model/json.js'
import { readCount } from '../../../model/usage.js'
import { type EndpointDialect } from '../../endpoints/endpoint.js'
import { refuseStoredFiles } from '../../fit/stored-files.js'
import { numberOf } from '../../scalars.js'
import { STORED_FILES } from './encode-request.js'

/** What the vendor counts; any other member is an error to it. */
const COUNTED = ['model', 'messages', 'system', 'tools', 'tool_choice', 'thinking', 'mcp_servers', 'output_config']

/** Its wire is that of the protocol: a client of this API sends the same body. */
export const counting: EndpointDialect = Object.freeze({
  wire: 'anthropic-messages',
  path: () => '/messages/count_tokens',
  lacks: [],
  counting: {
    checkReferences: (chat: JsonObject) => refuseStoredFiles(chat, STORED_FILES),
    encodeRequest: (chat: JsonObject) =>
      Object.fromEntries(Object.entries(chat).filter(([key]) => COUNTED.includes(key))),
    decodeResponse: (body: JsonObject) => numberOf(readCount(body.input_tokens)),
  },
})
