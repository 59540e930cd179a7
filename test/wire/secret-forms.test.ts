// The forms of a secret, and the pattern that finds them all.
import { test } from 'tap'
import { patternOf, secretForms } from '../../src/wire/secret-forms.js'

test('a secret is found as it is, in JSON, in a URL and in Base64', async (t) => {
  const secret = 'a/b+"c"\\d=1'
  const forms = secretForms([secret], 6)
  for (const form of [
    secret,
    JSON.stringify(secret).slice(1, -1),
    encodeURIComponent(secret),
    Buffer.from(secret).toString('base64').replaceAll('=', ''),
  ]) {
    t.ok(forms.includes(form), form)
    t.equal(`<${form}>`.replace(patternOf(forms) ?? '', '*'), '<*>', form)
  }
  t.equal('A/B+"C"\\D=1'.replace(patternOf(forms) ?? '', '*'), '*', 'in any case')
})

test('the longest comes first, what is too short is left out, and half a character does not throw', async (t) => {
  t.match(secretForms(['canary', 'canary-longer', 'abc'], 6).slice(-1), ['canary'])
  t.notOk(secretForms(['abc'], 6).length)
  t.equal(patternOf([]), null)
  t.ok(secretForms(['half-\ud83d-pair'], 6).length > 0)
})
