/** The program behind `bench engine` between workers: calls to the Coordinator that do next to nothing there. */

import { Errno } from '../../base/errno.js';
import { vpn } from '../../base/units.js';
import type { Steps } from '../../sim/steps.js';
import { toErrno } from '../hostSteps.js';
import type { DeviceKernel, HostContext } from '../workload.js';
import type { EngineBenchConfig } from '../workloadConfig.js';
import { BenchProgram } from './benchProgram.js';
import type { RoundTimer } from './roundTimer.js';

export class EngineBench extends BenchProgram<EngineBenchConfig> {
  protected get summary(): string {
    return `${this.config.calls} calls a round`;
  }

  /** Nothing is touched. */
  protected *prepare(): Steps<Errno> {
    return Errno.OK;
  }

  protected *round(host: HostContext, _round: number, timer: RoundTimer): Steps<Errno> {
    const { calls, atOnce } = this.config;
    const each = Math.ceil(calls / atOnce);
    const lines = Array.from({ length: atOnce }, () => askForEnd(host, each));
    timer.start();
    const errnos = yield* host.parallel(lines);
    timer.stop();
    return errnos.find((errno) => errno !== Errno.OK) ?? Errno.OK;
  }

  /** No device computes here. */
  kernel(): DeviceKernel {
    return function* () {
      return Errno.EINVAL;
    };
  }

  expect(): [] {
    return [];
  }
}

function* askForEnd(host: HostContext, calls: number): Steps<Errno> {
  for (let i = 0; i < calls; i++) {
    const end = yield* host.brk(vpn(0));
    if (end < 0) return toErrno(end);
  }
  return Errno.OK;
}
