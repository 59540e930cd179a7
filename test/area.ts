// Several test files in one process, one after the other: `node dist/test/area.js NAME FILES`. Most files take less time than
// a process and tap take to start. Their tests have one root, so a file may leave nothing behind there.
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

// Before tap is loaded: it names its folders after all arguments there are, and such a name has an end.
const files = process.argv.splice(3)
const { t } = await import('tap')

// Once something is to be torn down, the root ends whenever it is idle: as well while a file still waits for its server.
const idle = Object.getPrototypeOf(t) as object
Object.defineProperty(t, 'idle', { get: () => isLoaded && (Reflect.get(idle, 'idle', t) as boolean) })

// A file that ends the process takes those after it along, whatever exit code it names.
let isLoaded = false
process.on('exit', () => {
  if (!isLoaded) process.exitCode = 1
})

// Told by tap when a file adds one. Its queue and its counts leave out the one that runs, so their sum may stand still.
let added = 0
t.on('subtestAdd', () => {
  added += 1
})

for (const file of files) {
  // Stands before the file's tests in the output.
  t.comment(file)
  const before = added
  try {
    await import(pathToFileURL(resolve(file)).href)
    if (added === before) t.fail(`${file} has no test`)
  } catch (error) {
    t.fail(`${file} does not load`, { error })
  }
}
isLoaded = true
t.emit('idle')
