// The cap of a request is lowered in the spelling that it has, and a budget for thinking with it.
import { test } from 'tap'
import { limitOutput } from '../../../../src/protocols/google-gemini/dialect/limit-output.js'
import { thrownBy } from '../../../helpers/thrown.js'

const FLASH = { model: 'gemini-2.5-flash' }
const PRO = { model: 'gemini-2.5-pro' }

test('a cap is lowered, added or left alone, in either spelling', (t) => {
  const asked = { generationConfig: { maxOutputTokens: 900, temperature: 1 } }
  t.same([...limitOutput(asked, 50, FLASH)], [['generationConfig', { maxOutputTokens: 50, temperature: 1 }]])
  const other = { generation_config: { max_output_tokens: 900 } }
  t.same([...limitOutput(other, 50, FLASH)], [['generation_config', { max_output_tokens: 50 }]])
  t.same([...limitOutput({}, 50, FLASH)], [['generationConfig', { maxOutputTokens: 50 }]])
  t.same([...limitOutput({ generationConfig: { maxOutputTokens: 40 } }, 50, FLASH)], [])
  t.end()
})

test('a budget for thinking is cut below the cap', (t) => {
  const config = { maxOutputTokens: 9000, thinkingConfig: { thinkingBudget: 8000, includeThoughts: true } }
  t.same(limitOutput({ generationConfig: config }, 1000, PRO).get('generationConfig'), {
    maxOutputTokens: 1000,
    thinkingConfig: { thinkingBudget: 500, includeThoughts: true },
  })
  const spelled = { generation_config: { thinking_config: { thinking_budget: 8000 } } }
  t.match(limitOutput(spelled, 1000, FLASH).get('generation_config'), { thinking_config: { thinking_budget: 500 } })
  const dynamic = { maxOutputTokens: 10, thinkingConfig: { thinkingBudget: -1 } }
  t.same([...limitOutput({ generationConfig: dynamic }, 1000, PRO)], [])
  t.end()
})

test('a model that must think needs room for it', (t) => {
  const asked = { generationConfig: { thinkingConfig: { thinkingBudget: 8000 } } }
  t.match(
    thrownBy(() => limitOutput(asked, 200, PRO)),
    { code: 'budget_exceeded' },
  )
  t.ok(limitOutput(asked, 200, FLASH).size > 0)
  t.end()
})
