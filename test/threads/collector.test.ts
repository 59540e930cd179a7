// The flag is V8's own: a name it does not know would be ignored in silence, so it is asked for by name.
import { spawnSync } from 'node:child_process'
import { test } from 'tap'
import { tuneCollector } from '../../src/threads/collector.js'

test('V8 still knows the flag that keeps young collections on one thread', (t) => {
  tuneCollector()
  const { stdout } = spawnSync(process.execPath, ['--v8-options'], { encoding: 'utf8' })
  t.match(stdout, /--parallel-scavenge /)
  t.end()
})
