// npm run wat: writes the module of src/wire/body/vector-scan.wat into vector-scan.ts.
import { readFileSync, writeFileSync } from 'node:fs'
import { assemble, findCode, WAT } from './helpers/wat.js'

const LINE_CHARS = 110

const file = new URL('vector-scan.ts', WAT)
const source = readFileSync(file, 'utf8')
const lines = Buffer.from(await assemble(WAT))
  .toString('base64')
  .match(new RegExp(`.{1,${LINE_CHARS}}`, 'g'))
const written = (lines ?? []).map((line) => `'${line}'`).join(' +\n  ')
writeFileSync(file, source.replace(findCode(source), written))
