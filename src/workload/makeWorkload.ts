/** Makes the workload that a configuration describes. */

import { assert, unreachable } from '../base/assert.js';
import { AccessReplay } from './access/accessReplay.js';
import { AccessBench } from './bench/accessBench.js';
import { EngineBench } from './bench/engineBench.js';
import { FaultBench } from './bench/faultBench.js';
import { InvalidateBench } from './bench/invalidateBench.js';
import { MigrateBench } from './bench/migrateBench.js';
import { MirrorBench } from './bench/mirrorBench.js';
import { CaseProgram } from './case/caseProgram.js';
import { Events } from './events.js';
import { Histogram } from './histogram.js';
import { Invalidate } from './invalidate.js';
import { Jacobi } from './jacobi.js';
import { JoinLeave } from './joinLeave.js';
import { MachineProbe } from './machineProbe.js';
import { ProgramWorkload } from './ownProgram.js';
import { Pattern } from './pattern.js';
import { Saxpy } from './saxpy.js';
import { TraceReplay } from './traceReplay.js';
import type { Workload } from './workload.js';
import type { ProgramConfig, WorkloadConfig } from './workloadConfig.js';
import type { WorkloadWorld } from './workloadWorld.js';

/**
 * An instance for one actor: the workload's CPU thread, one device, or the main thread that asks for expectations. `index` is the
 * workload's place in the run's list, which gives it its addresses and its part of the board.
 */
export function makeWorkload(config: WorkloadConfig, index: number, world: WorkloadWorld): Workload {
  switch (config.kind) {
    case 'saxpy':
      return new Saxpy(config, index, world);
    case 'jacobi':
      return new Jacobi(config, index, world);
    case 'histogram':
      return new Histogram(config, index, world);
    case 'pattern':
      return new Pattern(config, index, world);
    case 'accesses':
      return new AccessReplay(config, index, world);
    case 'trace':
      return new TraceReplay(config, index, world);
    case 'invalidate':
      return new Invalidate(config, index, world);
    case 'join-leave':
      return new JoinLeave(config, index, world);
    case 'events':
      return new Events(config);
    case 'migrate-bench':
      return new MigrateBench(config, index);
    case 'fault-bench':
      return new FaultBench(config, index);
    case 'invalidate-bench':
      return new InvalidateBench(config, index);
    case 'access-bench':
      return new AccessBench(config, index);
    case 'engine-bench':
      return new EngineBench(config, index);
    case 'mirror-bench':
      return new MirrorBench(config, index, world);
    case 'machine-probe':
      return new MachineProbe(config, index);
    case 'case':
      return new CaseProgram(config, index, world.payloads?.[index] ?? null);
    case 'program':
      return ownProgram(config, index, world);
    default:
      return unreachable(config);
  }
}

function ownProgram({ name }: ProgramConfig, index: number, world: WorkloadWorld): Workload {
  const make = world.programs?.[name];
  assert(make !== undefined, () => `nobody has given the program ${name}`);
  return new ProgramWorkload(name, make, index, world);
}
