// The two lists of fields against the vendor's own type declarations.
import { readFileSync } from 'node:fs'
import { test } from 'tap'
import { CANONICAL_FIELDS, CARRIED_EXTENSIONS } from '../../../src/protocols/openai-chat/fields.js'

test("every field of the vendor's own client is either canonical or carried", (t) => {
  const path = 'node_modules/openai/resources/chat/completions/completions.d.ts'
  const file = new URL(`../../../../${path}`, import.meta.url)
  const [, declared = ''] = readFileSync(file, 'utf8').split('export interface ChatCompletionCreateParamsBase {')
  const fields = [...(declared.split('\n}')[0] ?? '').matchAll(/^ {4}(\w+)\??:/gm)].map(([, name = '']) => name)
  t.ok(fields.length > 30)
  for (const field of fields) t.ok(CANONICAL_FIELDS.has(field) || CARRIED_EXTENSIONS.has(field), field)
  t.end()
})
