/** Failures become smaller and stay the same failures. */

import { beforeAll, describe, expect, it } from 'vitest';
import { caseSchema } from '../../../src/case/caseSchema.js';
import { SHRINK_LIMITS } from '../../../src/explore/shrink/shrink.js';
import { SwitchFinder, SwitchStrategy } from '../../../src/explore/shrink/switches.js';
import { type ExplorationTarget, runnerOf } from '../../../src/explore/target.js';
import { saysTheSame } from '../../../src/explore/verdict.js';
import { RandomStrategy } from '../../../src/sim/virtual/randomStrategy.js';
import { foundAndShrunk, LIMITS, targetOf } from './foundAndShrunk.js';

const FEW = { ...LIMITS, runs: 45 };

describe('switches', () => {
  it('tell all of a schedule', () => {
    const runner = runnerOf({ ...targetOf('B107'), bug: null });
    const recorded = runner.run(new RandomStrategy(3));
    if (recorded === null) throw new Error('no run');
    const finder = new SwitchFinder(recorded.choices);
    expect(runner.run(finder)?.choices).toEqual(recorded.choices);
    expect(finder.switches.length).toBeGreaterThan(10);
    expect(runner.run(new SwitchStrategy(finder))?.choices).toEqual(recorded.choices);
  });

  it('without any, nobody is preempted', () => {
    const runner = runnerOf({ ...targetOf('B107'), bug: null });
    const outcome = runner.run(new SwitchStrategy({ switches: [], randoms: [] }));
    expect(outcome).toMatchObject({ preemptions: 0, verdict: null });
  });
});

describe('a shrunk failure', () => {
  let once: ReturnType<typeof foundAndShrunk>;
  beforeAll(() => {
    once = foundAndShrunk(targetOf('B107'));
  });

  it('has few preemptions and no operation that it does not need', () => {
    const { from, to } = once;
    expect(to.preemptions).toBeLessThanOrEqual(3);
    expect(to.preemptions).toBeLessThan(from.preemptions);
    expect(to.operations).toBeLessThan(from.operations);
  });

  it('repeats exactly', () => {
    const { target, finding } = once;
    const { outcome, isExact } = runnerOf(target).replay(finding.choices);
    expect(isExact).toBe(true);
    expect(outcome.verdict).toEqual(finding.verdict);
    expect(outcome.steps).toBe(finding.steps);
  });

  it('is the same one each time', () => {
    const again = foundAndShrunk(targetOf('B107'));
    expect(again.finding).toEqual(once.finding);
    expect(again.target).toEqual(once.target);
  });
});

describe('the steps of a shrunk failure', () => {
  // Without a preemption each of these takes a step or two more than it was found with.
  it.each(['B21', 'B75', 'B98', 'B107'])('are never more than those of %s as it was found', (id) => {
    const { from, to } = foundAndShrunk(targetOf(id));
    expect(to.steps).toBeLessThanOrEqual(from.steps);
    expect(to.preemptions).toBeLessThanOrEqual(from.preemptions);
  });
});

describe('the limits of shrinking', () => {
  it('are told where they were reached, and are enough for most failures', () => {
    expect(foundAndShrunk(targetOf('B107'), FEW).isCut).toBe(true);
    // Its runs have 6,000 steps each, until those of the livelock are fewer.
    expect(foundAndShrunk(targetOf('B25'), SHRINK_LIMITS)).toMatchObject({ isCut: false });
  });
});

const STORE = { op: 'gpu_store32', args: { dev: 'gpu0', buf: 'a', dword: 0, value: 1 }, as: 'w' };

/** A device stores to memory that may be used as `prot` says; nobody needs the other buffer for that. */
function storing(prot: string, steps: readonly object[], value: number | string): ExplorationTarget {
  const program = caseSchema.parse({
    suite: 's',
    name: 'n',
    steps: [
      { op: 'bind_mirror', args: { dev: 'gpu0' } },
      { op: 'mmap', args: { buf: 'a', pages: 2, prot } },
      { op: 'mmap', args: { buf: 'other', pages: 5, prot: 'rw' } },
      ...steps,
    ],
    expect: [{ type: 'ret', step: 'w', value }],
  });
  return { source: { kind: 'case', program }, bug: null };
}

describe('what else becomes smaller', () => {
  it('is the number of rounds of a livelock', () => {
    const { from, to, finding, target } = foundAndShrunk(targetOf('B61'), FEW);
    expect(finding.verdict.kind).toBe('livelock');
    expect(to.steps).toBeLessThan(0.4 * from.steps);
    expect(runnerOf(target).replay(finding.choices).outcome.verdict).toEqual(finding.verdict);
  });

  it('leaves of a program that never holds what fails as it did', () => {
    const { from, to, finding } = foundAndShrunk(storing('r', [STORE], 0));
    expect(finding.verdict.message).toContain('found ret -EPERM');
    expect([from.operations, to.operations]).toEqual([4, 3]);
  });

  it('says what was found, where each schedule of a program that never holds says something of its own', () => {
    const unmap = { op: 'munmap', args: { buf: 'a' } };
    const fill = { op: 'cpu_write', args: { buf: 'other', pattern: { p: 'const', v: 1 } } };
    const racing = { op: 'concurrent', args: { branches: [[STORE], [fill, unmap]] } };
    const target = storing('rw', [racing], '-EBUSY');
    const said = [1, 2, 3, 4].map((seed) => {
      const { found, finding, from, to } = foundAndShrunk(target, LIMITS, seed);
      expect(saysTheSame(finding.verdict, found)).toBe(true);
      expect(to.operations).toBeLessThan(from.operations);
      return found.message;
    });
    expect(new Set(said).size).toBe(2);
  });

  it('is never what the expectations of the program need', () => {
    const { target } = foundAndShrunk(targetOf('B59'), FEW);
    expect(runnerOf({ ...target, bug: null }).run(new RandomStrategy(1))?.verdict).toBeNull();
  });
});
