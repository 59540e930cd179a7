// What tells an HTTP client where its stream is: the id, and a link for those that cannot send a key.
import { type HeaderList } from '../../pipeline/sink.js'
import { type LinkTokens } from '../../streams/access/link-token.js'
import { type KeptFacts } from '../../streams/kept/readable-log.js'

/** The path of a stream before its id. */
export const STREAM_PATH = '/v1/streams/'
/** The response header with the id of a kept stream. */
const STREAM_HEADER = 'x-sluice-stream'

/** The headers of a stream; `links`: null without a link. RFC 8288. */
export function streamHeaders(facts: Pick<KeptFacts, 'id' | 'owner'>, links: LinkTokens | null): HeaderList {
  const { id } = facts
  if (links === null) return [[STREAM_HEADER, id]]
  return [
    [STREAM_HEADER, id],
    ['link', `<${STREAM_PATH}${id}?token=${links.issue(facts)}>; rel="self"`],
  ]
}
