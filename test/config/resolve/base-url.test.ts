// Base URLs: one meaning with and without the version, for each kind of wire and vendor.
import { test } from 'tap'
import { normaliseBaseUrl, withoutVersion } from '../../../src/config/resolve/base-url.js'

const OPEN = { versionSegment: '/v1', clientsGiveVersion: true }
const CLOSED = { versionSegment: '/v1', clientsGiveVersion: false }
const LONG = { versionSegment: '/openai/v1', clientsGiveVersion: true }

test('with or without version and trailing slash, a base URL means the same', (t) => {
  for (const text of ['https://h', 'https://h/', 'https://h/v1', 'https://h/v1/', 'https://H:443/v1//']) {
    t.same(normaliseBaseUrl(text, OPEN), { url: 'https://h/v1' })
    t.same(normaliseBaseUrl(text, CLOSED), { url: 'https://h/v1' })
  }
  for (const text of ['https://h', 'https://h/v1beta', 'https://h/v1beta/']) {
    t.same(normaliseBaseUrl(text, { versionSegment: '/v1beta', clientsGiveVersion: false }), {
      url: 'https://h/v1beta',
    })
  }
  t.same(normaliseBaseUrl('http://127.0.0.1:8000/v1/', OPEN), { url: 'http://127.0.0.1:8000/v1' })
  t.end()
})

test('a version segment of several parts is completed from wherever the URL stops', (t) => {
  for (const text of ['https://h', 'https://h/openai', 'https://h/openai/v1']) {
    t.same(normaliseBaseUrl(text, LONG), { url: 'https://h/openai/v1' })
  }
  t.end()
})

test('a proxy path is kept, and a version of its own is the version', (t) => {
  t.same(normaliseBaseUrl('https://p/x', OPEN), { url: 'https://p/x/v1' })
  t.same(normaliseBaseUrl('https://p/x/v1', LONG), { url: 'https://p/x/v1' })
  t.same(normaliseBaseUrl('https://p/api/paas/v4', OPEN), { url: 'https://p/api/paas/v4' })
  t.same(normaliseBaseUrl('https://p/v1beta/compat', OPEN), { url: 'https://p/v1beta/compat' })
  t.same(normaliseBaseUrl('https://p/v1/acct/wire', CLOSED), { url: 'https://p/v1/acct/wire/v1' })
  t.same(normaliseBaseUrl('https://p/inference/', { versionSegment: '', clientsGiveVersion: true }), {
    url: 'https://p/inference',
  })
  t.end()
})

test('a wire without a version has none, whatever other API of the same server was meant', (t) => {
  for (const clientsGiveVersion of [true, false]) {
    const bare = { versionSegment: '', clientsGiveVersion }
    t.same(normaliseBaseUrl('http://h:11434/v1', bare), { url: 'http://h:11434' })
    t.same(normaliseBaseUrl('http://h:11434/proxy/v1/', bare), { url: 'http://h:11434/proxy' })
  }
  t.end()
})

test('what is no plain http address is refused', (t) => {
  for (const text of [
    '',
    'h/v1',
    'ftp://h',
    'file:///etc',
    'https://u:p@h',
    'https://u@h',
    'https://h?',
    'https://h?a=1',
    'https://h#x',
  ]) {
    t.match(normaliseBaseUrl(text, OPEN), { reason: String }, text)
  }
  t.notMatch(JSON.stringify(normaliseBaseUrl('https://user:hunter2@h', OPEN)), /hunter2/)
  t.end()
})

test('a dated API stands below the version segment without its version', (t) => {
  t.equal(withoutVersion('/openai/v1'), '/openai')
  t.equal(withoutVersion('/v1'), '')
  t.end()
})
