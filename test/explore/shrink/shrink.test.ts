/** Failures become smaller and stay the same failures. */

import { beforeAll, describe, expect, it } from 'vitest';
import { buffer, bugCase } from '../../../src/bugs/bugCase.js';
import type { SubjectSource } from '../../../src/bugs/bugOverlay.js';
import { findBug } from '../../../src/bugs/catalogue.js';
import { runBlock } from '../../../src/explore/block.js';
import { programSize } from '../../../src/explore/shrink/programSize.js';
import { SHRINK_LIMITS, type Shrunk, shrink } from '../../../src/explore/shrink/shrink.js';
import { smallerSources } from '../../../src/explore/shrink/smallerSources.js';
import { SwitchFinder, SwitchStrategy } from '../../../src/explore/shrink/switches.js';
import { type ExplorationTarget, runnerOf } from '../../../src/explore/target.js';
import { sameVerdict } from '../../../src/explore/verdict.js';
import { RandomStrategy } from '../../../src/sim/virtual/randomStrategy.js';

const LIMITS = { runs: 600, steps: Number.POSITIVE_INFINITY };

const FEW = { ...LIMITS, runs: 45 };

function targetOf(id: string): ExplorationTarget {
  const bug = findBug(id);
  if (bug === null) throw new Error(`${id} is missing`);
  return { source: bug.subject, bug: id };
}

function foundAndShrunk(id: string, limits = LIMITS): Shrunk & { readonly choices: Uint32Array } {
  const target = targetOf(id);
  const block = {
    target,
    targetKey: id,
    index: 0,
    strategy: 'random',
    seed: 1,
    schedules: 200,
    endAtSharedMs: Number.POSITIVE_INFINITY,
  } as const;
  const [finding] = runBlock(block, true).findings;
  expect(finding).toBeDefined();
  const shrunk = shrink(target, finding, limits);
  expect(sameVerdict(shrunk.finding.verdict, finding.verdict)).toBe(true);
  return { ...shrunk, choices: finding.choices };
}

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
    once = foundAndShrunk('B107');
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
    const again = foundAndShrunk('B107');
    expect(again.finding).toEqual(once.finding);
    expect(again.target).toEqual(once.target);
  });
});

describe('the steps of a shrunk failure', () => {
  // Without a preemption each of these takes a step or two more than it was found with.
  it.each(['B21', 'B75', 'B98', 'B107'])('are never more than those of %s as it was found', (id) => {
    const { from, to } = foundAndShrunk(id);
    expect(to.steps).toBeLessThanOrEqual(from.steps);
    expect(to.preemptions).toBeLessThanOrEqual(from.preemptions);
  });
});

describe('the limits of shrinking', () => {
  it('are told where they were reached, and are enough for most failures', () => {
    expect(foundAndShrunk('B107', FEW).isCut).toBe(true);
    // Its runs have 6,000 steps each, until those of the livelock are fewer.
    expect(foundAndShrunk('B25', SHRINK_LIMITS)).toMatchObject({ isCut: false });
  });
});

describe('what else becomes smaller', () => {
  it('is the number of rounds of a livelock', () => {
    const { from, to, finding, target } = foundAndShrunk('B61', FEW);
    expect(finding.verdict.kind).toBe('livelock');
    expect(to.steps).toBeLessThan(0.4 * from.steps);
    expect(runnerOf(target).replay(finding.choices).outcome.verdict).toEqual(finding.verdict);
  });

  it('is never what the expectations of the program need', () => {
    const { target } = foundAndShrunk('B59', FEW);
    expect(runnerOf({ ...target, bug: null }).run(new RandomStrategy(1))?.verdict).toBeNull();
  });
});

describe('smaller programs', () => {
  it('of a case are a step, a branch or pages less, and still cases', () => {
    const { source } = targetOf('B107');
    const smaller = smallerSources(source);
    expect(smaller.length).toBeGreaterThan(5);
    const sizeOf = (one: SubjectSource): number => {
      const size = programSize(one);
      return size === null ? 0 : size.operations + size.pages;
    };
    for (const one of smaller) expect(sizeOf(one)).toBeLessThan(sizeOf(source));
  });

  it('keep spans at their places in buffers of half the size', () => {
    const write = { op: 'cpu_write', args: { buf: 'A', off: 8, pages: 8, pattern: { p: 'zero' } } };
    const source = bugCase({ name: 'a span in the second half', steps: [buffer('A', 16), write] });
    const found = smallerSources(source).flatMap((one) => (one.kind === 'case' ? [one.program.steps] : []));
    expect(found.map((steps) => steps[1]?.args)).toContainEqual({ ...write.args, off: 4, pages: 4 });
  });

  it('of a scenario have smaller counts, down to one', () => {
    const source = {
      kind: 'scenario',
      path: 'a.yaml',
      text: 'workloads:\n  - kind: pattern\n',
      set: ['devices.count=4'],
    } as const;
    const sets = smallerSources(source).map((one) => (one.kind === 'scenario' ? one.set : []));
    expect(sets).toContainEqual(['devices.count=2']);
    expect(sets).toContainEqual(['devices.count=4', 'workloads.0.rounds=1']);
    expect(sets).toContainEqual(['devices.count=4', 'workloads.0.size=512pages']);
    const last = smallerSources({ ...source, set: ['devices.count=1'] });
    expect(
      last.some(
        (one) =>
          one.kind === 'scenario' &&
          one.set.some((set) => /^devices.count/.test(set) && set !== 'devices.count=1'),
      ),
    ).toBe(false);
  });
});
