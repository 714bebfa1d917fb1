/** The program behind `bench engine` under `threads`: calls to the Coordinator that do next to nothing there, one after another or many at once. */

import { Errno } from '../../base/errno.js';
import { vpn } from '../../base/units.js';
import type { Steps } from '../../sim/steps.js';
import { toErrno } from '../hostSteps.js';
import type { DeviceKernel, HostContext, Progress, Workload, WorkloadResult } from '../workload.js';
import type { EngineBenchConfig } from '../workloadConfig.js';

const WARMUPS = 20;

/** Result counts: `sample<i>Ns`. */
export class EngineBench implements Workload {
  readonly name: string;

  constructor(private readonly config: EngineBenchConfig) {
    this.name = config.name;
  }

  *run(host: HostContext): Steps<WorkloadResult> {
    const counts: Record<string, number> = {};
    const { samples, calls } = this.config;
    let errno: Errno = Errno.OK;
    for (let sample = -WARMUPS; errno === Errno.OK && sample < samples && !host.stopping; sample++) {
      const startNs = host.now();
      errno = yield* this.round(host);
      if (sample >= 0) counts[`sample${sample}Ns`] = host.now() - startNs;
      yield* host.sleep(0);
    }
    return { workload: this.name, ok: errno === Errno.OK, detail: `${calls} calls a round`, counts };
  }

  /** No device computes here. */
  kernel(): DeviceKernel {
    return function* () {
      return Errno.EINVAL;
    };
  }

  progress(): Progress {
    return {};
  }

  expect(): [] {
    return [];
  }

  private *round(host: HostContext): Steps<Errno> {
    const { calls, atOnce } = this.config;
    const each = Math.ceil(calls / atOnce);
    const lines = Array.from({ length: atOnce }, () => askForEnd(host, each));
    const errnos = yield* host.parallel(lines);
    return errnos.find((errno) => errno !== Errno.OK) ?? Errno.OK;
  }
}

function* askForEnd(host: HostContext, calls: number): Steps<Errno> {
  for (let i = 0; i < calls; i++) {
    const end = yield* host.brk(vpn(0));
    if (end < 0) return toErrno(end);
  }
  return Errno.OK;
}
