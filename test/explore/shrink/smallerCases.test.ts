/** Cases that are a little smaller, within blocks too. */

import { describe, expect, it } from 'vitest';
import { buffer, bugCase } from '../../../src/bugs/bugCase.js';
import type { SubjectSource } from '../../../src/bugs/bugOverlay.js';
import type { Step } from '../../../src/case/opSchemas.js';
import { programSize } from '../../../src/explore/shrink/programSize.js';
import { smallerSources } from '../../../src/explore/shrink/smallerSources.js';
import { foundAndShrunk, targetOf } from './foundAndShrunk.js';

function stepsOf(source: SubjectSource): readonly Step[] {
  return source.kind === 'case' ? source.program.steps : [];
}

function smallerSteps(steps: readonly unknown[]): (readonly Step[])[] {
  return smallerSources(bugCase({ name: 'a case', steps })).map(stepsOf);
}

function repeat(count: number, ...steps: readonly unknown[]): unknown {
  return { op: 'repeat', args: { count, steps } };
}

function write(buf: string): unknown {
  return { op: 'cpu_write', args: { buf, off: 0, pattern: { p: 'zero' } } };
}

describe('smaller cases', () => {
  it('are a step, a branch or pages less, and still cases', () => {
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
    const found = smallerSteps([buffer('A', 16), write]);
    expect(found.map((steps) => steps[1]?.args)).toContainEqual({ ...write.args, off: 4, pages: 4 });
  });

  it('have fewer rounds, down to one, and fewer steps in each', () => {
    const found = smallerSteps([repeat(8, buffer('A', 1), write('A'))]);
    const rounds = (steps: readonly Step[]): unknown[] =>
      steps.map((step) => (step.op === 'repeat' ? [step.args.count, step.args.steps.length] : step.op));
    expect(found.map(rounds)).toEqual(
      expect.arrayContaining([[], [[1, 2]], [[4, 2]], [[6, 2]], [[8, 1]], ['mmap', 'cpu_write']]),
    );
  });

  it('have fewer rounds in rounds, and smaller buffers there', () => {
    const found = smallerSteps([repeat(4, buffer('A', 16), repeat(2, write('A'), write('A')))]);
    expect(found).toContainEqual(bugSteps([repeat(4, buffer('A', 16), repeat(1, write('A'), write('A')))]));
    expect(found).toContainEqual(bugSteps([repeat(4, buffer('A', 16), repeat(2, write('A')))]));
    expect(found).toContainEqual(bugSteps([repeat(4, buffer('A', 1), repeat(2, write('A'), write('A')))]));
  });

  it('name what the first round named, without the repetition', () => {
    const found = smallerSteps([repeat(3, buffer('A$i', 1), write('A$i'))]);
    expect(found).toContainEqual(bugSteps([buffer('A0', 1), write('A0')]));
    const nested = smallerSteps([repeat(3, repeat(2, buffer('A$i', 1)))]);
    expect(nested).not.toContainEqual(bugSteps([repeat(2, buffer('A0', 1))]));
  });

  it('have fewer processes, down to one', () => {
    const inner = [buffer('A', 1), write('A')];
    const processes = (count: number, steps = inner): unknown => ({
      op: 'repeat_processes',
      args: { count, steps },
    });
    const found = smallerSteps([processes(4)]);
    for (const count of [1, 2, 3]) expect(found).toContainEqual(bugSteps([processes(count)]));
    expect(found).toContainEqual(bugSteps([processes(4, [inner[0]])]));
    expect(found).not.toContainEqual(bugSteps(inner));
  });

  it('are measured with all of their rounds', () => {
    const source = bugCase({ name: 'rounds', steps: [repeat(3, buffer('A', 2), repeat(2, write('A')))] });
    expect(programSize(source)).toMatchObject({ operations: 9, pages: 6 });
  });
});

describe('a failure in rounds', () => {
  it('is left with what one round needs', () => {
    const { source } = targetOf('B97');
    const rounds = repeat(4, repeat(3, buffer('A', 1), write('A')), ...stepsOf(source));
    const { from, to, target } = foundAndShrunk({
      source: bugCase({ name: 'rounds', steps: [rounds] }),
      bug: 'B97',
    });
    expect(from.operations).toBeGreaterThan(20);
    expect(to.operations).toBeLessThanOrEqual(2);
    expect(stepsOf(target.source).map(({ op }) => op)).not.toContain('repeat');
  });
});

/** As they are in a case. */
function bugSteps(steps: readonly unknown[]): readonly Step[] {
  return stepsOf(bugCase({ name: 'a case', steps }));
}
