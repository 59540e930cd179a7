// What people build agents with, unmodified, by the Responses API and over each of the upstream wires: the Vercel AI SDK with its default
// for OpenAI, and OpenAI's Agents SDK.
import { createOpenAI } from '@ai-sdk/openai'
import { Agent, tool as agentTool, OpenAIProvider, Runner } from '@openai/agents'
import { generateText, Output, stepCountIs, streamText, tool } from 'ai'
import { t as tap, test } from 'tap'
import { z } from 'zod'
import { simulatedProviders, startGateway, startSimulator } from '../helpers/gateway.js'

const KEY = 'test-key-0123456789abcdef'
const PROVIDERS = ['responses', 'openai', 'anthropic', 'google', 'ollama'] as const
const TEXT = 'Zażółć gęślą jaźń, 你好 👋 world'

const simulator = await startSimulator(tap)
const gateway = await startGateway(tap, {
  config: { keys: [{ name: 'test', key: KEY }], providers: simulatedProviders(simulator.origin) },
})
const openai = createOpenAI({ apiKey: KEY, baseURL: `${gateway.origin}/v1` })
const runner = new Runner({
  modelProvider: new OpenAIProvider({ apiKey: KEY, baseURL: `${gateway.origin}/v1`, useResponses: true }),
  tracingDisabled: true,
})

test('AI SDK: text, whole and streamed, with usage and a reason', async (t) => {
  for (const provider of PROVIDERS) {
    const request = { model: openai(`${provider}/echo`), system: 'Be brief.', prompt: TEXT }
    const whole = await generateText(request)
    t.same([whole.text, whole.finishReason], [TEXT, 'stop'], provider)
    const stream = streamText(request)
    let text = ''
    for await (const piece of stream.textStream) text += piece
    t.same([text, await stream.finishReason], [TEXT, 'stop'], `${provider} streamed`)
    t.same((await stream.usage).totalTokens, whole.usage.totalTokens, provider)
  }
})

test('AI SDK: tools run in several steps, whole and streamed', async (t) => {
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
    const request = { model: openai(`${provider}/tools`), prompt: 'Weather?', tools: { weather } }
    const { text, steps } = await generateText({ ...request, stopWhen: stepCountIs(3) })
    t.match(text, /degrees.*21/, provider)
    t.same([steps.length, asked.length], [2, 1], provider)
    const stream = streamText({ ...request, stopWhen: stepCountIs(3) })
    t.match(await stream.text, /degrees.*21/, `${provider} streamed`)
    t.equal(asked.length, 2)
  }
})

test('AI SDK: a second turn goes on from the messages of the first, which the SDK names by their ids', async (t) => {
  for (const provider of PROVIDERS) {
    const model = openai(`${provider}/echo`)
    const first = { role: 'user', content: 'first' } as const
    const { response } = await generateText({ model, messages: [first] })
    const messages = [first, ...response.messages, { role: 'user', content: 'second' } as const]
    const { text } = await generateText({ model, messages })
    t.equal(text, 'second', provider)
  }
})

test('AI SDK: objects by a schema', async (t) => {
  for (const provider of PROVIDERS) {
    const model = openai(`${provider}/echo`)
    const schema = z.object({ city: z.string(), degrees: z.number().nullable() })
    const { output } = await generateText({ model, prompt: 'A place', output: Output.object({ schema }) })
    t.type(output.city, 'string', provider)
  }
})

test('AI SDK: errors have the message and the status of the gateway, in mid-stream as well', async (t) => {
  const thrown = await generateText({ model: openai('nothing'), prompt: 'Hi', maxRetries: 0 }).catch(
    (caught: unknown) => caught,
  )
  t.match(thrown, { statusCode: 404, message: /model/i })
  for (const provider of PROVIDERS) {
    const errors: unknown[] = []
    const model = openai(`${provider}/lorem-max+fault=error-frame,4`)
    const onError = ({ error }: { readonly error: unknown }) => void errors.push(error)
    const stream = streamText({ model, prompt: 'Hi', maxOutputTokens: 50, maxRetries: 0, onError })
    let text = ''
    for await (const piece of stream.textStream) text += piece
    t.match(text, /^lorem ipsum/, provider)
    t.ok(errors.length > 0, `${provider} tells of the error`)
  }
})

test('Agents SDK: an agent answers, calls its tools, and goes on from its last answer', async (t) => {
  for (const provider of PROVIDERS) {
    const echo = new Agent({ name: 'Echo', instructions: 'Be brief.', model: `${provider}/echo` })
    const first = await runner.run(echo, TEXT)
    t.equal(first.finalOutput, TEXT, provider)
    const next = await runner.run(echo, 'And then?', { previousResponseId: first.lastResponseId ?? '' })
    t.equal(next.finalOutput, 'And then?', `${provider} goes on`)
    const [before, after] = [first, next].map(({ rawResponses }) => rawResponses[0]?.usage.inputTokens ?? 0)
    t.ok((after ?? 0) > (before ?? 0), `${provider} has the turns before`)
    const asked: string[] = []
    const weather = agentTool({
      name: 'weather',
      description: 'Weather of a city',
      parameters: z.object({ city: z.string() }),
      execute: async ({ city }) => {
        asked.push(city)
        return '21 degrees'
      },
    })
    const agent = new Agent({ name: 'Weather', instructions: 'Ask.', model: `${provider}/tools`, tools: [weather] })
    const whole = await runner.run(agent, 'Weather?')
    t.match(whole.finalOutput, /21 degrees/, provider)
    const stream = await runner.run(agent, 'Weather?', { stream: true })
    let text = ''
    for await (const piece of stream.toTextStream()) text += piece
    await stream.completed
    t.match(text, /21 degrees/, `${provider} streamed`)
    t.equal(asked.length, 2)
  }
})
