/** The schedule of a failure as turns: who took how many steps in a row, in order. */

import type { ActorId } from '../../sim/task.js';
import type { Failure } from '../failureFile.js';
import { ReplayStrategy } from '../strategies/replay.js';
import { runnerOf } from '../target.js';
import { WatchedStrategy } from './watchedStrategy.js';

/** Steps of one actor's tasks with nobody else's between them. */
export interface Turn {
  /** `coordinator`, `gpu0`, `cpu0`, ... */
  readonly actor: string;
  readonly steps: number;
}

/** Plays the failure again. @throws UserError for a program that cannot run any more. */
export function turnsOf({ target, choices }: Pick<Failure, 'target' | 'choices'>): Turn[] {
  const watched = new WatchedStrategy(new ReplayStrategy(choices));
  watched.newExecution();
  const execution = runnerOf(target).begin(watched);
  const { executor, machine } = execution;
  const turns: { readonly actor: ActorId; steps: number }[] = [];
  let told = 0;
  const note = (): void => {
    const steps = executor.steps - told;
    told = executor.steps;
    const actor = watched.last?.actor;
    if (steps === 0 || actor === undefined) return;
    const last = turns.at(-1);
    if (last?.actor === actor) last.steps += steps;
    else turns.push({ actor, steps });
  };
  execution.beforeStep = () => {
    note();
    return false;
  };
  execution.run();
  note();
  return turns.map(({ actor, steps }) => ({ actor: machine.names[actor], steps }));
}
