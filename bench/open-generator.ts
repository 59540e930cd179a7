// Load that does not wait for answers, from a process of its own. Takes one line of JSON (OpenLoad), prints one (OpenReport).
import { createInterface } from 'node:readline'
import { type OpenLoad, runOpenLoad } from './open-load.js'

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await runOpenLoad(JSON.parse(line) as OpenLoad))}\n`)
}
