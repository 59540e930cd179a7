// What must hold of a pipeline once everything that was asked has ended.

import { type FakeSink } from './fake-sink.js'
import { type PipelineRig } from './pipeline.js'
import { TOKEN_LIMIT } from './pipeline-config.js'

/** What must hold once everything that was asked has ended; the words of what does not. */
export function breaches(rig: PipelineRig, sinks: readonly FakeSink[]): string[] {
  const wrong: string[] = []
  const check = (isRight: boolean, what: string): void => {
    if (!isRight) wrong.push(what)
  }
  check(rig.records.length === sinks.length, `${rig.records.length} log lines for ${sinks.length} exchanges`)
  check(rig.metrics.started === sinks.length && rig.metrics.settled.length === sinks.length, 'started is not settled')
  for (const [transport, open] of rig.metrics.openStreams) check(open === 0, `${open} ${transport} streams open`)
  check(rig.pipeline.openCount() === 0, 'an exchange is open')
  check(rig.limiter.active() === 0 && rig.limiter.slots === 0, `${rig.limiter.slots} slots taken`)
  check(rig.limiter.reservations === 0, `${rig.limiter.reservations} reservations left`)
  for (const [index, taken] of rig.limiter.providers) check(taken === 0, `provider ${index}: ${taken} slots taken`)
  const reserved = rig.budgets?.reserved ?? { nano: 0, tokens: 0 }
  check(reserved.nano === 0 && reserved.tokens === 0, `${reserved.nano} nano-dollars are still reserved`)
  const spent = rig.records.reduce((sum, { usage }) => sum + usage.inputTokens + usage.outputTokens, 0)
  check(rig.tokensLeft === TOKEN_LIMIT - spent, `${TOKEN_LIMIT - rig.tokensLeft} tokens taken, ${spent} used`)
  for (const call of rig.calls) check(call.isOver, 'an upstream call is left running')
  check(rig.metrics.attempts.length === rig.calls.length, `${rig.metrics.attempts} for ${rig.calls.length} calls`)
  for (const sink of sinks) wrong.push(...sinkBreaches(sink))
  for (const { outcome, error } of rig.records) {
    if (outcome === 'complete') check(error === null, 'complete with an error')
  }
  return wrong
}

function sinkBreaches(sink: FakeSink): string[] {
  const wrong: string[] = []
  if (sink.late.length > 0) wrong.push(`after settle: ${sink.late}`)
  if (sink.answers.length > 1 || sink.deliveries.length > 1) wrong.push('answered twice')
  if (sink.answers.length > 0 && sink.heads.length > 0) wrong.push('a reply after the head of a stream')
  for (const { status } of sink.answers) if (status === 499 || status === 408) wrong.push(`told a client ${status}`)
  const isFailed = /"error":/.test(sink.text)
  if (isFailed && /^data: \[DONE\]|^event: message_stop/m.test(sink.text)) wrong.push('an end marker beside an error')
  return wrong
}
