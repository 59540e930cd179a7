// The search for a text in a large body says what a plain search says.
import fc from 'fast-check'
import { test } from 'tap'
import { containsText } from '../../../src/wire/body/find-text.js'

test('says what a plain search says', (t) => {
  const letters = fc.string({ unit: fc.constantFrom(...'exUk_"a'), maxLength: 20 })
  fc.assert(
    fc.property(
      letters,
      fc.string({ unit: fc.constantFrom(...'exUk_"a'), minLength: 1, maxLength: 12 }),
      (text, part) => {
        return containsText(Buffer.from(text), part) === text.includes(part)
      },
    ),
    { numRuns: 10_000 },
  )
  for (const name of ['"webhookUrl"', '"extra_content"', '"developer"']) {
    t.equal(containsText(Buffer.from(`{"a":1,${name}:2}`), name), true)
    t.equal(containsText(Buffer.from(`{"a":1,${name.slice(0, -1)}:2}`), name), false)
  }
  t.end()
})
