// What tells a client where its stream is.
import { test } from 'tap'
import { STREAM_PATH, streamHeaders } from '../../../src/server/kept/stream-headers.js'
import { LinkTokens } from '../../../src/streams/access/link-token.js'

const STREAM = { id: 'str_00AAAAAAAAAAAAAAAAAAAAAA', owner: 'owner-1' }

test('the link has a token for this very stream; whoever must not renew it gets the id alone', async (t) => {
  const links = new LinkTokens({ secret: 'a secret of this test', owners: ['owner-1'], nowMs: () => 0 })
  const [id, link] = streamHeaders(STREAM, links)
  t.same(id, ['x-sluice-stream', STREAM.id])
  const [, path, token = ''] = /^<([^>?]+)\?token=([^>]+)>; rel="self"$/.exec(link?.[1] ?? '') ?? []
  t.same([link?.[0], path], ['link', STREAM_PATH + STREAM.id])
  t.equal(links.ownerOf(token, STREAM.id), 'owner-1')
  t.same(streamHeaders(STREAM, null), [id])
})
