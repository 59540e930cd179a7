// Which targets think, by name and by what they have said.
import { test } from 'tap'
import { ThinkingMemory, thinksByName } from '../../src/routing/thinking.js'
import { CATALOG } from '../config/sources.js'
import { testTarget } from '../helpers/targets.js'

test('the longest beginning that fits decides; no other name is known', async (t) => {
  const names = { 'gpt-5-chat': false, 'gpt-5': true, gpt: false }
  t.equal(thinksByName('gpt-4o', names), false)
  t.equal(thinksByName('GPT-5-mini', names), true)
  t.equal(thinksByName('vendor/gpt-5-chat-latest', names), false)
  t.equal(thinksByName('my-gpt-5', names), undefined)
  t.equal(thinksByName('', names), undefined)
})

test('the shipped names classify the vendors’ models', async (t) => {
  const known = (model: string) => thinksByName(model, CATALOG.thinking)
  for (const model of ['o3-mini', 'gpt-5.1', 'openai/gpt-oss-120b', 'claude-opus-4-5', 'claude-3-7-sonnet-20250219']) {
    t.equal(known(model), true, model)
  }
  for (const model of ['gemini-2.5-flash', 'qwen3:8b', 'deepseek-r1:14b', 'magistral', 'grok-4', 'deepseek-reasoner']) {
    t.equal(known(model), true, model)
  }
  for (const model of [
    'gpt-4o',
    'gpt-4.1-mini',
    'gpt-3.5-turbo',
    'claude-3-5-haiku-20241022',
    'claude-3-opus-20240229',
  ]) {
    t.equal(known(model), false, model)
  }
  for (const model of [
    'gemini-2.0-flash',
    'llama3.2',
    'llama-3.3-70b-versatile',
    'gemma3:4b',
    'qwen2.5-coder',
    'phi3',
  ]) {
    t.equal(known(model), false, model)
  }
  for (const model of ['my-model', 'mistral-large-latest', 'echo']) t.equal(known(model), undefined, model)
})

test('a target that refused is remembered for an hour, then asked again', async (t) => {
  let nowMs = 0
  const memory = new ThinkingMemory(() => nowMs)
  const routed = { target: testTarget('w', { thinks: true }) }
  t.equal(memory.recall(routed), routed, 'nothing is remembered')
  memory.note(routed.target)
  t.equal(memory.recall(routed).target.thinks, false)
  t.equal(routed.target.thinks, true, 'the route itself is as it was')
  const other = { target: testTarget('w', { model: 'other' }) }
  t.equal(memory.recall(other), other)
  nowMs = 3_599_999
  t.equal(memory.recall(routed).target.thinks, false)
  nowMs = 3_600_000
  t.equal(memory.recall(routed), routed)
})

test('of more than a thousand targets the oldest is forgotten', async (t) => {
  const memory = new ThinkingMemory(() => 0)
  const routed = (i: number) => ({ target: testTarget('w', { model: `m${i}` }) })
  for (let i = 0; i < 1000; i++) memory.note(routed(i).target)
  memory.note(routed(0).target)
  memory.note(routed(1000).target)
  t.equal(memory.recall(routed(0)).target.thinks, false, 'it has refused again since')
  t.notOk('thinks' in memory.recall(routed(1)).target)
  t.equal(memory.recall(routed(1000)).target.thinks, false)
  memory.note(routed(1000).target)
  t.equal(memory.recall(routed(2)).target.thinks, false, 'one that refuses again takes no place of another')
})
