/** Puts into words how a run ended that did not end well. */

import { AssertionFailure } from '../base/assert.js';
import { OverlayMistake } from '../bugs/overlayMistake.js';
import type { Case } from '../case/caseSchema.js';
import type { TaskFailure } from '../sim/scheduler.js';
import { stepDefinition } from '../sim/steps.js';
import { describeCircle, findCircle } from '../sim/waitGraph.js';
import type { VirtualMachine } from '../simulation/virtualMachine.js';
import type { WorkloadResult } from '../workload/workload.js';
import type { Verdict } from './verdict.js';

/** By how the message of an assertion begins: the invariant that it is about. */
const INVARIANTS: ReadonlyMap<string, string> = new Map([
  ['lock order: ', 'L3'],
  ['wait for detach: ', 'L6'],
]);

/**
 * A task ended by an exception: a broken assumption, or plainly a mistake.
 * @throws OverlayMistake where that was it: a bug that could not be put in has not been found.
 */
export function judgeFailure({ cause, where }: TaskFailure): Verdict {
  if (cause instanceof OverlayMistake) throw cause;
  const what = cause instanceof AssertionFailure ? cause.message : `${cause.name}: ${cause.message}`;
  const [, invariant = null] = [...INVARIANTS].find(([begin]) => what.startsWith(begin)) ?? [];
  return {
    kind: invariant === null ? 'assertion' : 'invariant',
    invariant,
    message: what,
    details: [`in ${where}`],
  };
}

/** Nothing can run, and somebody has not ended. */
export function judgeStandstill(machine: VirtualMachine): Verdict {
  return {
    kind: 'deadlock',
    invariant: null,
    message: 'every task waits for another',
    details: describeWaits(machine),
  };
}

/** It goes on and on. */
export function judgeUnending(machine: VirtualMachine): Verdict {
  const busy = [...machine.executor.tasks].filter(({ daemon, state }) => !daemon && state === 'runnable');
  return {
    kind: 'livelock',
    invariant: 'L2',
    message: `no end within ${machine.executor.steps} steps`,
    details: [
      ...busy.map((task) => `${task.name} is at ${stepDefinition(task.lastStep).name}`),
      ...describeWaits(machine),
    ],
  };
}

/** A program that says of itself that it went wrong. */
export function judgeResult(result: WorkloadResult, program: Case | null): Verdict | null {
  const broken = result.caseResults?.broken ?? null;
  if (broken !== null) {
    const message = `step ${broken.step}: ${broken.found}`;
    return { kind: 'wrong-result', invariant: null, message, details: [] };
  }
  if (result.ok) return null;
  const isData = program === null && (result.counts.violations ?? 0) > 0;
  return {
    kind: isData ? 'wrong-data' : 'wrong-result',
    invariant: isData ? 'M1' : null,
    message: `${result.workload}: ${result.detail}`,
    details: [],
  };
}

/** The circle first, where those who wait for one another are known; then all by actor. */
function describeWaits({ coordinator, devices, cpus, names, executor }: VirtualMachine): string[] {
  const lines = [coordinator, ...devices, ...cpus].flatMap((actor, i) =>
    actor.waits().map((line) => `${names[i]}: ${line}`),
  );
  const circle = findCircle(executor.tasks);
  return circle === null ? lines : [describeCircle(circle), ...lines];
}
