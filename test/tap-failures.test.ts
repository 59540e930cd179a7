// What `npm run test:one` prints of a test that failed.
import { test } from 'tap'
import { failuresOf } from './helpers/tap-failures.js'

const OUTPUT = `TAP version 14
# Subtest: the first passes
    ok 1 - should be equal
    # a comment of it
    1..1
ok 1 - the first passes # time=1ms

# Subtest: the second fails
    # Subtest: a part that passes
        ok 1 - inner
        1..1
    ok 1 - a part that passes # time=1ms
    
    # Subtest: a part that fails
        ok 1 - before
        not ok 2 - should be equal
          ---
          diff: |
            -1
            +2
          ...
        
        1..2
    not ok 2 - a part that fails # time=1ms
    
    ok 3 - after
    1..3
not ok 2 - the second fails # time=1ms

ok 3 - an assertion without a test
1..3
# { total: 6, pass: 4, fail: 2 }
`

test('only what failed is printed, each assertion under its test', async (t) => {
  t.same(
    failuresOf(OUTPUT)
      .split('\n')
      .filter((line) => line.trim() !== ''),
    [
      'TAP version 14',
      '# Subtest: the second fails',
      '    # Subtest: a part that fails',
      '        not ok 2 - should be equal',
      '          ---',
      '          diff: |',
      '            -1',
      '            +2',
      '          ...',
      '    not ok 2 - a part that fails # time=1ms',
      'not ok 2 - the second fails # time=1ms',
      '# { total: 6, pass: 4, fail: 2 }',
    ],
  )
})

test('keeps output that is not TAP or ends within a test', async (t) => {
  t.equal(failuresOf('Error: no such module\n    at load'), 'Error: no such module\n    at load')
  t.equal(failuresOf('# Subtest: hangs\n    ok 1 - begun\n'), '# Subtest: hangs\n')
})
