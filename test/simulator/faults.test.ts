// Reading faults: words with numbers, model suffixes, rules.
import { test } from 'tap'
import { FaultScript, frameOf, parseFault, readFaultRules, splitModel } from '../../src/simulator/faults.js'

test('reads a fault and refuses what it does not know', (t) => {
  t.same(parseFault('cut-mid-frame,3'), { name: 'cut-mid-frame', numbers: [3] })
  t.same(parseFault(' html '), { name: 'html', numbers: [] })
  for (const bad of ['', 'nonsense', 'stall,x', 'stall,-1', 'stall,Infinity']) t.equal(parseFault(bad), null, bad)
  t.end()
})

test('knows the frame a fault waits for', (t) => {
  const frame = (text: string) => frameOf(parseFault(text) ?? { name: 'html', numbers: [] })
  t.equal(frame('stall'), 2)
  t.equal(frame('stall,0'), 0)
  t.equal(frame('oversize,1000'), 2)
  t.equal(frame('oversize,1000,5'), 5)
  t.end()
})

test('takes a suffix off a model name', (t) => {
  t.same(splitModel('lorem+fault=stall,1'), { model: 'lorem', fault: 'stall,1' })
  t.same(splitModel('lorem'), { model: 'lorem', fault: '' })
  t.same(splitModel('lorem+fault=unknown'), { model: 'lorem', fault: 'unknown' })
  t.end()
})

test('reads rules with their defaults and says what is wrong', (t) => {
  t.same(readFaultRules([{ fault: 'html' }]), [
    {
      fault: { name: 'html', numbers: [] },
      model: null,
      protocol: null,
      skip: 0,
      every: 1,
      times: Number.POSITIVE_INFINITY,
    },
  ])
  t.match(readFaultRules([{ fault: 'html', model: 'a*', protocol: 'p', skip: 2, every: 0, times: 1 }]), [
    { model: 'a*', protocol: 'p', skip: 2, every: 1, times: 1 },
  ])
  t.match(readFaultRules({}), /must hold a list/)
  t.match(readFaultRules([1]), /rule 0: must be an object/)
  t.match(readFaultRules([{ fault: 'html' }, { fault: 'x' }]), /rule 1: unknown fault "x"/)
  t.match(readFaultRules([{ fault: 'html', modle: 'x' }]), /unknown member "modle"/)
  t.end()
})

test('the first rule that is due counts', (t) => {
  const rules = readFaultRules([
    { fault: 'html', model: 'echo', every: 3 },
    { fault: 'stall', protocol: 'p' },
  ])
  const script = new FaultScript(typeof rules === 'string' ? [] : rules)
  const next = (protocol: string, model: string) => script.next(protocol, model)?.name ?? null
  t.same([next('p', 'echo'), next('p', 'echo'), next('q', 'echo'), next('q', 'echo')], ['html', 'stall', null, 'html'])
  t.equal(next('q', 'other'), null)
  t.end()
})
