// Nodes that read: the first and the last one are told, and a lease that is not renewed ends.
import { test } from 'tap'
import { RemoteNodes } from '../../../src/streams/redis/remote-nodes.js'

test('only the first and the last node change anything; each is there until it leaves or its lease is over', (t) => {
  const changes: boolean[] = []
  const nodes = new RemoteNodes((areThere) => changes.push(areThere))
  nodes.attach('north', 10)
  nodes.attach('south', 20)
  nodes.attach('north', 15)
  nodes.sweep(12)
  nodes.detach('north')
  nodes.detach('north')
  t.same(changes, [true])
  nodes.sweep(19)
  t.same(changes, [true])
  nodes.sweep(20)
  t.same(changes, [true, false])
  nodes.attach('south', 30)
  nodes.clear()
  t.same(changes, [true, false, true, false])
  t.end()
})
