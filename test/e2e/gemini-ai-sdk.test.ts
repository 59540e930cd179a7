// The Vercel AI SDK's Google provider against a running gateway, over each of the upstream wires: text, tools in several steps, objects.
import { createGoogleGenerativeAI } from '@ai-sdk/google'
import { generateText, Output, stepCountIs, streamText, tool } from 'ai'
import { t as tap, test } from 'tap'
import { z } from 'zod'
import { simulatedProviders, startGateway, startSimulator } from '../helpers/gateway.js'

const KEY = 'test-key-0123456789abcdef'
const PROVIDERS = ['google', 'openai', 'responses', 'anthropic', 'ollama'] as const
const TEXT = 'Zażółć gęślą jaźń, 你好 👋 world'

const simulator = await startSimulator(tap)
const gateway = await startGateway(tap, {
  config: { keys: [{ name: 'test', key: KEY }], providers: simulatedProviders(simulator.origin) },
})
const vendor = createGoogleGenerativeAI({ apiKey: KEY, baseURL: `${gateway.origin}/v1beta` })
/** The SDK takes a name with a slash for the whole path. */
const google = (model: string) => vendor(`models/${model}`)

test('text, whole and streamed, with usage and a reason', async (t) => {
  for (const provider of PROVIDERS) {
    const request = { model: google(`${provider}/echo`), system: 'Be brief.', prompt: TEXT }
    const whole = await generateText(request)
    t.same([whole.text, whole.finishReason], [TEXT, 'stop'], provider)
    const stream = streamText(request)
    let text = ''
    for await (const piece of stream.textStream) text += piece
    t.same([text, await stream.finishReason], [TEXT, 'stop'], `${provider} streamed`)
    t.same((await stream.usage).totalTokens, whole.usage.totalTokens, provider)
  }
})

test('reasoning is apart from the text', async (t) => {
  for (const provider of PROVIDERS) {
    const { text, reasoningText } = await generateText({
      model: google(`${provider}/reason`),
      prompt: 'Think',
      providerOptions: { google: { thinkingConfig: { includeThoughts: true, thinkingBudget: 1024 } } },
    })
    t.equal(text, 'Think', provider)
    t.match(reasoningText, /step by step/, provider)
  }
})

test('tools run in several steps', async (t) => {
  for (const provider of PROVIDERS) {
    const asked: string[] = []
    const weather = tool({
      description: 'Weather of a city',
      inputSchema: z.object({ city: z.string() }),
      execute: async ({ city }) => {
        asked.push(city)
        return { degrees: 21 }
      },
    })
    const request = { model: google(`${provider}/tools`), prompt: 'Weather?', tools: { weather } }
    const { text, steps } = await generateText({ ...request, stopWhen: stepCountIs(3) })
    t.match(text, /degrees.*21/, provider)
    t.same([steps.length, asked.length], [2, 1], provider)
    const stream = streamText({ ...request, stopWhen: stepCountIs(3) })
    t.match(await stream.text, /degrees.*21/, `${provider} streamed`)
  }
})

test('objects by a schema', async (t) => {
  for (const provider of PROVIDERS) {
    const model = google(`${provider}/echo`)
    const schema = z.object({ city: z.string(), degrees: z.number().nullable() })
    const { output } = await generateText({ model, prompt: 'A place', output: Output.object({ schema }) })
    t.type(output.city, 'string', provider)
  }
})

test('errors have the message and the status of the gateway', async (t) => {
  const thrown = await generateText({ model: google('nothing'), prompt: 'Hi', maxRetries: 0 }).catch(
    (caught: unknown) => caught,
  )
  t.match(thrown, { statusCode: 404, message: /model/i })
  for (const provider of PROVIDERS) {
    const errors: unknown[] = []
    const stream = streamText({
      model: google(`${provider}/lorem-max+fault=error-frame,4`),
      prompt: 'Hi',
      maxOutputTokens: 50,
      maxRetries: 0,
      onError: ({ error }) => void errors.push(error),
    })
    let text = ''
    for await (const piece of stream.textStream) text += piece
    t.match(text, /^lorem ipsum/, provider)
    t.equal(errors.length, 1, `${provider} tells of the error`)
  }
})
