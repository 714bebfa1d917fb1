/** In what the conditions of two runs of a benchmark differ. */

import { describe, expect, it } from 'vitest';
import { conditionLines, conditionsOf } from '../../../src/report/bench/conditions.js';

function document(configuration: Record<string, unknown>, others: Record<string, unknown> = {}) {
  const environment = { cpu: 'a', node: '20' };
  return { configurations: { b: configuration }, executor: 'threads', seed: 1, environment, ...others };
}

const old = document({ layout: 'n1', costPreset: 'plain', presetHash: 'aa' });
const now = document({ layout: 'n1', costPreset: 'plain', costHash: 'aa', presetHash: 'aa', thp: 'madvise' });

function lines(before: ReturnType<typeof document>, after: ReturnType<typeof document>, hasWall = true) {
  return conditionLines('b', conditionsOf(before, 'b'), conditionsOf(after, 'b'), hasWall);
}

describe('conditionLines', () => {
  it('has none where nothing differs, or was not told then', () => {
    expect(lines(now, now)).toEqual([]);
    expect(lines(old, now)).toEqual([]);
  });

  it('names what differs', () => {
    const other = document({ layout: 'one-to-one', costPreset: 'xe-bmg', costHash: 'bb', thp: 'madvise' });
    expect(lines(old, other)).toEqual([
      'b: configurations differ: layout n1 -> one-to-one, cost plain -> xe-bmg',
    ]);
    expect(lines(now, document({ ...now.configurations.b, costHash: 'bb', policy: 'p.mjs' }))).toEqual([
      'b: configurations differ: cost numbers aa -> bb, policy none -> p.mjs',
    ]);
  });

  it('looks at the machine only where wall time was measured', () => {
    const elsewhere = document(now.configurations.b, { environment: { cpu: 'c', node: '20' }, seed: 2 });
    expect(lines(now, elsewhere)).toEqual(['b: the runs differ: seed 1 -> 2, CPU a -> c']);
    expect(lines(now, elsewhere, false)).toEqual(['b: the runs differ: seed 1 -> 2']);
  });
});
