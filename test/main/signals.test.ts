// Which signal does what.
import { spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { test } from 'tap'
import { exitCodeOf, obeyLogSignals, obeyStopSignals } from '../../src/main/signals.js'

test('the first signal stops, the second ends, each further one kills, whichever they are', (t) => {
  const source = new EventEmitter()
  const events: string[] = []
  const note = (what: string) => (signal: string) => events.push(`${what} ${signal}`)
  obeyStopSignals({ stop: note('stop'), end: note('end'), kill: note('kill') }, source)
  source.emit('SIGINT', 'SIGINT')
  t.same(events, ['stop SIGINT'])
  for (const signal of ['SIGTERM', 'SIGTERM', 'SIGINT']) source.emit(signal, signal)
  t.same(events, ['stop SIGINT', 'end SIGTERM', 'kill SIGTERM', 'kill SIGINT'])
  t.end()
})

test('both signals of log rotation ask for a new log file, each time', (t) => {
  const source = new EventEmitter()
  let count = 0
  obeyLogSignals(() => (count += 1), source)
  for (const signal of ['SIGUSR1', 'SIGUSR2', 'SIGUSR2']) source.emit(signal, signal)
  t.equal(count, 3)
  t.end()
})

test('exit codes are those that a shell shows for the signal', (t) => {
  t.equal(exitCodeOf('SIGINT'), 130)
  t.equal(exitCodeOf('SIGTERM'), 143)
  t.end()
})

test('a third signal ends a process that neither drains nor ends, and its shell sees that signal', async (t) => {
  const script = `import('./dist/src/main/signals.js').then(({ obeyStopSignals, dieOf }) => {
    obeyStopSignals({ stop: () => console.log('stop'), end: () => console.log('end'), kill: dieOf })
    setInterval(() => {}, 1000)
    console.log('up')
  })`
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  for (const word of ['up', 'stop', 'end']) {
    const [chunk] = await once(child.stdout, 'data')
    t.equal(String(chunk).trim(), word)
    child.kill('SIGINT')
  }
  t.same(await once(child, 'exit'), [null, 'SIGINT'])
})
