/** When a request counts as one that is never done: later where many wait in line before it. */

import { expect, it } from 'vitest';
import { Overtaken } from '../../../src/explore/progress/overtaken.js';
import type { Verdict } from '../../../src/explore/verdict.js';
import { actorId, Task } from '../../../src/sim/task.js';

function* endless(): Generator<never, void, void> {}

/** Requests that never end, while others get one thing done at each step; how many steps that is well. */
function stepsUntilStarvation(requests: number, others: readonly Task[] = []): number {
  const tasks = Array.from(
    { length: requests },
    (_, i) => new Task(1 + i, actorId(0), 'gpu.fault', endless(), false),
  );
  const overtaken = new Overtaken([...tasks, ...others], ['coordinator']);
  let steps = 0;
  let verdict: Verdict | null = null;
  while (verdict === null && steps < 1_000_000) {
    steps++;
    verdict = overtaken.onStep(() => steps);
  }
  expect(verdict).toMatchObject({ kind: 'starvation' });
  return steps;
}

it('is overtaken after a time that grows with the line', () => {
  const alone = stepsUntilStarvation(1);
  expect(alone).toBeGreaterThan(50_000);
  expect(alone).toBeLessThan(52_000);
  expect(stepsUntilStarvation(5)).toBe(alone);
  const inLine = stepsUntilStarvation(64);
  expect(inLine).toBeGreaterThan(640_000);
  expect(inLine).toBeLessThan(642_000);
});

it('is in line with requests alone', () => {
  const servants = Array.from(
    { length: 60 },
    (_, i) => new Task(100 + i, actorId(0), 'worker', endless(), true),
  );
  const ofPrograms = [new Task(200, actorId(0), 'cpu.ioctl', endless(), false)];
  const ofDevices = [new Task(300, actorId(1), 'context', endless(), false)];
  expect(stepsUntilStarvation(1, [...servants, ...ofPrograms, ...ofDevices])).toBe(stepsUntilStarvation(1));
});

it('is not overtaken where the others get next to nothing done', () => {
  const overtaken = new Overtaken([new Task(1, actorId(0), 'gpu.fault', endless(), false)], ['coordinator']);
  let verdict: Verdict | null = null;
  for (let steps = 0; steps < 200_000; steps++) verdict ??= overtaken.onStep(() => steps / 1000);
  expect(verdict).toBeNull();
});
