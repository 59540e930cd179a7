// Globs over model names.
import { test } from 'tap'
import { matchesGlob } from '../../src/routing/glob.js'

test('a star matches any run of characters, everything else itself', async (t) => {
  const matching: [string, string][] = [
    ['*', ''],
    ['*', 'anything/at.all'],
    ['claude*', 'claude'],
    ['claude*', 'claude-opus-4'],
    ['*-mini', 'gpt-4o-mini'],
    ['gpt-*-mini', 'gpt-4o-mini'],
    ['a*b*c', 'a__b__c'],
    ['a*b*c', 'abc'],
    ['o1', 'o1'],
  ]
  for (const [glob, name] of matching) t.ok(matchesGlob(glob, name), `${glob} takes ${name}`)
})

test('a glob never matches a part of a name, nor a name too short for its ends', async (t) => {
  const refused: [string, string][] = [
    ['o1', 'o1-mini'],
    ['claude*', 'my-claude'],
    ['aa*aa', 'aaa'],
    ['a*b*c', 'acb'],
    ['a*bb*b', 'abb'],
    ['gpt.4', 'gpt-4'],
  ]
  for (const [glob, name] of refused) t.notOk(matchesGlob(glob, name), `${glob} refuses ${name}`)
})
