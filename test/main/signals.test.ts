// Which signal does what.
import { EventEmitter } from 'node:events'
import { test } from 'tap'
import { obeyStopSignals } from '../../src/main/signals.js'

test('the first signal stops, each further one kills, whichever they are', (t) => {
  const source = new EventEmitter()
  const events: string[] = []
  obeyStopSignals({ stop: (signal) => events.push(`stop ${signal}`), kill: () => events.push('kill') }, source)
  source.emit('SIGINT', 'SIGINT')
  t.same(events, ['stop SIGINT'])
  source.emit('SIGTERM', 'SIGTERM')
  source.emit('SIGTERM', 'SIGTERM')
  t.same(events, ['stop SIGINT', 'kill', 'kill'])
  t.end()
})
