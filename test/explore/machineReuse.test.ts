/** A machine that earlier runs have used behaves as a new one in fresh memory: step by step, and at the end. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { SubjectSource } from '../../src/bugs/bugOverlay.js';
import { allBugs } from '../../src/bugs/catalogue.js';
import { makeStrategy } from '../../src/explore/strategies/makeStrategy.js';
import { ReplayStrategy } from '../../src/explore/strategies/replay.js';
import type { SubjectRunner } from '../../src/explore/subjectRunner.js';
import { runnerOf } from '../../src/explore/target.js';
import { stepDefinition } from '../../src/sim/steps.js';
import type { VirtualMachine } from '../../src/simulation/virtualMachine.js';

/** Runs before the one that is compared. */
const RUNS_BEFORE = 5;
/** Enough of them that runs are trusted to change what they have changed so far. */
const TRUSTED_RUNS = 150;
const SEEDS = [1, 2, 3];
/** Enough of them that end well after one that did not. */
const RUNS_AFTER = 12;

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

function sourceOf(name: string): SubjectSource {
  const path = `config/${name}.yaml`;
  return { kind: 'scenario', path, text: readFileSync(path, 'utf8'), set: [] };
}

const SAMPLED_BUGS = 4;
/** What the scenarios of some bugs make of the protocol, without the bug. */
const cases = allBugs
  .filter(({ stepsMax }, i) => stepsMax === undefined && i % SAMPLED_BUGS === 0)
  .map(({ id, subject }) => [id, subject] as const);

describe('a machine of earlier runs', () => {
  it.each(cases)('has nothing left of them in the case of %s', (_, source) => {
    const target = { source, bug: null };
    const used = runnerOf(target);
    const strategy = makeStrategy('random', 1);
    const choices = [1, 2, 3].map(() => used.run(strategy)?.choices)[2] ?? new Uint32Array();
    expect(traceOf(used, choices)).toEqual(traceOf(runnerOf(target), choices));
  });

  it.each(['explore-race', 'explore-share'])('has nothing left of many of them in %s', (name) => {
    const target = { source: sourceOf(name), bug: null };
    const used = runnerOf(target);
    const strategy = makeStrategy('random', 1);
    for (let i = 0; i < TRUSTED_RUNS; i++) used.runTrusting(strategy);
    used.hasStayedClean();
    for (let i = 0; i < RUNS_BEFORE; i++) {
      const outcome = used.runTrusting(strategy);
      expect(used.hasStayedClean()).toBe(true);
      expect(runnerOf(target).replay(outcome?.choices ?? new Uint32Array()).outcome).toEqual(outcome);
    }
  });
});

describe('a machine whose run stopped in the middle', () => {
  const target = { source: sourceOf('explore-share'), bug: null };

  it('is not used again, nor are the next ones, until runs end well again', () => {
    const runner = runnerOf(target);
    const next = (stopAt: number): VirtualMachine => {
      const strategy = makeStrategy('round-robin', 1);
      strategy.newExecution();
      const execution = runner.begin(strategy);
      execution.beforeStep = () => execution.executor.steps === stopAt;
      return execution.run().machine;
    };
    const kept = next(Number.POSITIVE_INFINITY);
    expect(next(Number.POSITIVE_INFINITY)).toBe(kept);
    expect(next(50)).toBe(kept);
    const machines = Array.from({ length: RUNS_AFTER }, () => next(Number.POSITIVE_INFINITY));
    expect(new Set([kept, ...machines.slice(0, 3)]).size).toBe(4);
    expect(machines[RUNS_AFTER - 1]).toBe(machines[RUNS_AFTER - 2]);
  });
});

describe('memory of an earlier run', () => {
  it.each(['explore-race', 'explore-share'])('leaves nothing behind in %s', (name) => {
    const target = { source: sourceOf(name), bug: null };
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
