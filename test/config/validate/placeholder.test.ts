// What stands for a value, and what is one.
import { test } from 'tap'
import { isPlaceholder } from '../../../src/config/validate/placeholder.js'

test('the placeholders of documents are known', async (t) => {
  const words = [
    ...['your-endpoint-here', 'your-api-key-here', 'your_secure_token', 'your-proxy-api-key-here', 'YOUR_API_KEY'],
    ...['<your key>', 'my-key', 'change-me-0123456789', 'changeme', 'sk-goes-here', 'xxxx', '...', ' your-key '],
  ]
  for (const word of words) t.equal(isPlaceholder(word), true, word)
})

test('real keys and addresses are not placeholders', async (t) => {
  const words = [
    ...['', 'sk-proj-0123456789abcdef', 'yourself', 'https://your-host.example.com/v1', 'mygateway', 'team-a-key'],
    ...['http://here', 'there', 'xx', 'myhost:8000', 'input-token-1'],
  ]
  for (const word of words) t.equal(isPlaceholder(word), false, word)
})
