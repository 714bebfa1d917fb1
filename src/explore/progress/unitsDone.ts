/** How much every actor has got done: accesses of its programs that succeeded, and calls that ended. */

import type { Machine } from '../../actors/machine.js';
import { CpuMessage } from '../../actors/messages.js';
import { PortStep } from '../../sim/port.js';
import type { StepId } from '../../sim/steps.js';

export class UnitsDone {
  /** By actor: calls that its program has made; each but the last has ended. */
  private readonly calls: number[] = [];

  constructor(private readonly machine: Machine) {}

  /** A fault is a call too, but no progress: the access that comes after it is. */
  onStep(actor: number, step: StepId, type: number): void {
    const isCall =
      step === PortStep.send && actor > this.machine.devices.length && type !== CpuMessage.fault.id;
    if (isCall) this.calls[actor] = (this.calls[actor] ?? 0) + 1;
  }

  /** The Coordinator has no program. */
  of(actor: number): number {
    const { devices, cpus } = this.machine;
    if (actor === 0) return 0;
    if (actor > devices.length)
      return (cpus[actor - 1 - devices.length]?.accesses ?? 0) + (this.calls[actor] ?? 0);
    const { systemAccesses, vramAccesses, peerAccesses } = devices[actor - 1].gpu.mmu.counters;
    return systemAccesses + vramAccesses + peerAccesses;
  }

  get total(): number {
    const { devices, cpus } = this.machine;
    let sum = 0;
    for (let actor = 1; actor <= devices.length + cpus.length; actor++) sum += this.of(actor);
    return sum;
  }
}
