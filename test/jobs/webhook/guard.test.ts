// A webhook's URL is checked by the rules for strangers' URLs; what they refuse is told of `webhookUrl`.
import { test } from 'tap'
import { parseWebhookUrl } from '../../../src/jobs/webhook/guard.js'
import { thrownBy } from '../../helpers/thrown.js'

const STRICT = { allowInsecure: false, allowPrivateNetworks: false }

test('a public URL passes, any other is refused by the name of its field', (t) => {
  t.equal(parseWebhookUrl('https://hooks.example.com/a', STRICT).href, 'https://hooks.example.com/a')
  t.match(
    thrownBy(() => parseWebhookUrl('https://127.0.0.1/', STRICT)),
    { code: 'invalid_request', param: 'webhookUrl', message: 'webhookUrl must point to a public address.' },
  )
  t.equal(parseWebhookUrl('http://127.0.0.1/', { allowInsecure: true, allowPrivateNetworks: true }).port, '')
  t.end()
})
