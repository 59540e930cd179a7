// What is known of a socket, for the log and after a reload.
import { test } from 'tap'
import { type ServerContext } from '../../../src/server/context.js'
import { originOf, renew, type SocketState } from '../../../src/server/websocket/socket-state.js'
import { hammerAccount } from '../../helpers/directory-hammer.js'

test('a chat is logged with its socket and with what was known of the upgrade', (t) => {
  const origin = { method: 'GET', path: '/v1/ws', address: '127.0.0.1', agent: 'x' }
  const state = { origin, connection: 'c1' } as SocketState
  t.same(originOf(state, 'a'), { ...origin, socket: { connection: 'c1', chat: 'a' } })
  t.same(originOf(state, null).socket, { connection: 'c1', chat: null })
  t.end()
})

test('a key is looked up again only under another configuration, one of the database each time', (t) => {
  let lookUps = 0
  const renewed = { index: 4, name: 'a', owner: 'd' }
  const pipeline = {
    renew: () => {
      lookUps += 1
      return renewed
    },
  }
  const view = { pipeline } as unknown as ServerContext['view']
  const state = { key: { index: 1, name: 'a', owner: 'd' }, view } as SocketState
  const front = { view } as ServerContext
  renew(front, state)
  t.same([lookUps, state.key.index], [0, 1])
  front.view = { pipeline } as unknown as ServerContext['view']
  renew(front, state)
  t.same([lookUps, state.key.index, state.view === front.view], [1, 4, true])
  state.key = { ...state.key, account: hammerAccount(1, 1) }
  renew(front, state)
  t.equal(lookUps, 2, 'a key of the database may have changed at any time')
  t.end()
})
