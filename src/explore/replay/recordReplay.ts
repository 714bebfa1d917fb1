/** Repeats a failing run and records it as any run is recorded, for the tools that read traces. */

import { COORDINATOR } from '../../actors/coordinator.js';
import type { Trace } from '../../observe/trace/trace.js';
import { TraceCollector } from '../../observe/trace/traceCollector.js';
import { TraceRecorder } from '../../observe/trace/traceRecorder.js';
import { TraceRing } from '../../observe/trace/traceRing.js';
import type { Failure } from '../failureFile.js';
import { ReplayStrategy } from '../strategies/replay.js';
import { runnerOf } from '../target.js';
import type { ReplayLimits } from './replay.js';

/** Its times are simulated. @throws UserError for a program that cannot run any more. */
export function recordReplay(failure: Failure, { stopAt, mustFit }: Omit<ReplayLimits, 'withPages'>): Trace {
  const { target } = failure;
  const strategy = new ReplayStrategy(failure.choices);
  strategy.newExecution();
  const execution = runnerOf(target).begin(strategy);
  const { executor, machine } = execution;
  const rings = new SharedArrayBuffer(TraceRing.bytesFor(1));
  const collector = new TraceCollector(rings);
  const recorder = new TraceRecorder(new TraceRing(rings, 0), executor, 0, COORDINATOR, () =>
    collector.drain(),
  );
  executor.addObserver(recorder);
  executor.waitObserver = recorder;
  execution.beforeStep = () => executor.steps + 1 >= stopAt || (mustFit && strategy.divergences > 0);
  execution.run();
  return collector.finish({
    scenario: target.source.kind === 'case' ? target.source.program.name : target.source.path,
    executor: 'virtual',
    seed: 0,
    actors: machine.names,
    devices: machine.devices.length,
  });
}
