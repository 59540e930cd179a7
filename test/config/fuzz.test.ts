// Any configuration at all is either taken, whole and valid, or refused as a list of problems that betrays no value.
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { test } from 'tap'
import { Value } from 'typebox/value'
import { parse } from 'yaml'
import { ConfigFile } from '../../src/config/schema/schema.js'
import { ProblemList } from '../../src/config/validate/problem.js'
import { validate } from '../../src/config/validate/validate.js'
import { GatewayError } from '../../src/errors.js'
import { type JsonValue } from '../../src/model/json.js'
import { assertHolds, type Edit, edited, edits } from '../helpers/fuzz.js'
import { load, ROOT } from './sources.js'

const EXAMPLE = readFileSync(new URL('resources/config.example.yaml', ROOT), 'utf8')
/** The example with every line in force, so that each option is there to be spoiled. */
const FULL = parse(EXAMPLE.replace(/^# ?(?=[ \w-]+:| {2})/gm, '')) as JsonValue
const SECRET = 'sk-canary-0123456789abcdef'
const BASE: JsonValue = {
  server: { port: 3000, cors: { origins: ['https://a.test'] } },
  keys: [{ name: 'a', key: SECRET, models: ['*'], limits: { requestsPerMinute: 10 } }],
  limits: { concurrency: 4, queue: { max: 2 } },
  providers: {
    up: { protocol: 'openai-chat', baseUrl: 'http://127.0.0.1:9/v1', apiKey: SECRET, headers: { 'x-a': 'b' } },
  },
  models: { fast: { targets: [{ provider: 'up', model: 'm', weight: 2 }], fallbacks: [] } },
  log: { level: 'info' },
  metrics: { token: SECRET },
}

test('the example is a tree with most options in it', async (t) => {
  t.ok(Object.keys(FULL as object).length >= 6, Object.keys(FULL as object).join())
})

test('whatever the tree, validation gives what fits the schema or says what is wrong', async () => {
  assertHolds(
    { name: 'config-schema', inputs: fc.tuple(fc.boolean(), edits(5)) },
    ([isFull, changes]: [boolean, Edit[]]) => {
      const problems = new ProblemList(() => ({ line: null, origin: null }))
      const checked = validate(ConfigFile, edited(isFull ? FULL : BASE, changes), { problems, isText: () => false })
      return problems.length > 0 || Value.Check(ConfigFile, checked)
    },
  )
})

test('whatever the file, it is loaded and frozen, or refused as misconfigured without telling a value', async () => {
  const inputs = fc.tuple(edits(3), fc.boolean())
  assertHolds({ name: 'config-load', inputs, thin: 5 }, ([changes, isText]: [Edit[], boolean]) => {
    const text = JSON.stringify(edited(BASE, changes), null, isText ? 2 : 0)
    try {
      return Object.isFrozen(load(text).config.providers)
    } catch (thrown) {
      if (!(thrown instanceof GatewayError) || thrown.data.code !== 'misconfigured') throw thrown
      return !thrown.message.includes(SECRET)
    }
  })
})
