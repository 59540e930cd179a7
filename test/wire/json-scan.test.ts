// Members are found in JSON bytes by name, never in the content of strings.
import { test } from 'tap'
import { objectEnd, skipSpace, stringEnd, valueAt } from '../../src/wire/json-scan.js'

const KEY = Buffer.from('"k"')

test('finds a value behind its name, with and without white space', (t) => {
  t.equal(valueAt(Buffer.from('{"k":1}'), KEY, 0), 5)
  t.equal(valueAt(Buffer.from('{"k" :\n\t 1}'), KEY, 0), 9)
  t.equal(valueAt(Buffer.from('{"a":1}'), KEY, 0), -1)
  t.end()
})

test('a string equal to the name is no name, nor is one quoted in content', (t) => {
  t.equal(valueAt(Buffer.from('{"a":"k","k":2}'), KEY, 0), 13)
  t.equal(valueAt(Buffer.from(JSON.stringify({ a: '{"k":1}' })), KEY, 0), -1)
  t.end()
})

test('finds the end of strings and objects over escapes and braces in strings', (t) => {
  const text = Buffer.from('{"a":"\\\\\\"}","b":{"c":"}"}} tail')
  t.equal(objectEnd(text, 0), text.indexOf(' tail'))
  t.equal(stringEnd(text, 5), 11)
  t.equal(objectEnd(Buffer.from('{"a":"x'), 0), 7)
  t.equal(stringEnd(Buffer.from('"\\"'), 0), 3)
  t.equal(skipSpace(Buffer.from('  '), 0), 2)
  t.end()
})
