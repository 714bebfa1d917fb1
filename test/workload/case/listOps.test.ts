/** Lists whose elements are wrong are a mistake of the case, or of the memory, unless the case says how many are right. */

import { describe, expect, it } from 'vitest';
import { passes, runSteps } from './runSteps.js';

const pool = { buf: 'A', lists: 2, length: 3 };
const ELEMENTS = 6;
const setup = [
  { op: 'bind_mirror', args: { dev: 'gpu0' } },
  { op: 'mmap', args: { buf: 'A', pages: 1, prot: 'rw' } },
  { op: 'build_lists', args: { on: 'cpu', ...pool } },
];
/** The number of the first element's list. */
const spoil = { op: 'cpu_store32', args: { buf: 'A', dword: 0, value: 77 } };
const verify = (on: string, as?: string) => ({ op: 'verify_lists', args: { on, ...pool }, as });

describe.each(['cpu', 'gpu0'])('lists that %s follows', (on) => {
  it('are right as they were built', async () => {
    const value = { type: 'value', step: 'v', value: ELEMENTS };
    expect(await runSteps([...setup, verify(on), verify(on, 'v')], [value])).toEqual(passes);
  });

  it.each([[undefined], ['v']])('and that are wrong end the case, with label %s', async (as) => {
    const expectations = as === undefined ? [] : [{ type: 'ret', step: as, value: 0 }];
    const { status, problems } = await runSteps([...setup, spoil, verify(on, as)], expectations);
    expect(status).toBe('fail');
    expect(problems).toMatchObject([
      { step: expect.stringMatching(/^4 \(verify_lists/), found: '5 of 6 elements as they should be' },
    ]);
  });

  it('may be wrong where the case says so', async () => {
    const value = { type: 'value', step: 'v', value: ELEMENTS - 1 };
    expect(await runSteps([...setup, spoil, verify(on, 'v')], [value])).toEqual(passes);
  });
});
