/** A machine in memory that another run has used behaves as one in fresh memory: step by step, and at the end. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { SubjectSource } from '../../src/bugs/bugOverlay.js';
import { makeStrategy } from '../../src/explore/strategies/makeStrategy.js';
import { ReplayStrategy } from '../../src/explore/strategies/replay.js';
import type { SubjectRunner } from '../../src/explore/subjectRunner.js';
import { runnerOf } from '../../src/explore/target.js';
import { stepDefinition } from '../../src/sim/steps.js';

/** Runs before the one that is compared. */
const RUNS_BEFORE = 5;
const SEEDS = [1, 2, 3];

function traceOf(runner: SubjectRunner, choices: Uint32Array): string[] {
  const strategy = new ReplayStrategy(choices);
  strategy.newExecution();
  const execution = runner.begin(strategy);
  const { executor } = execution;
  const lines: string[] = [];
  executor.addObserver({
    onStep: (task, step, ...args) => {
      lines.push(`${executor.steps} ${task?.name} ${stepDefinition(step).name} ${args.join(' ')}`);
    },
  });
  execution.run();
  lines.push(`${executor.steps} steps, ${executor.now()} ns, ${execution.verdict?.message ?? 'well'}`);
  return lines;
}

describe('memory of an earlier run', () => {
  it.each(['explore-race', 'explore-share'])('leaves nothing behind in %s', (name) => {
    const path = `config/${name}.yaml`;
    const source: SubjectSource = { kind: 'scenario', path, text: readFileSync(path, 'utf8'), set: [] };
    const target = { source, bug: null };
    const used = runnerOf(target);
    for (const seed of SEEDS) {
      const strategy = makeStrategy('random', seed);
      const outcomes = Array.from({ length: RUNS_BEFORE }, () => used.run(strategy));
      const choices = outcomes[0]?.choices ?? new Uint32Array();
      const trace = traceOf(used, choices);
      expect(trace.length).toBeGreaterThan(50);
      expect(trace).toEqual(traceOf(runnerOf(target), choices));
    }
  });
});
