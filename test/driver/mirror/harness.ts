/** What tests of the mirror driver share: a small machine with mirror devices, contexts, and data as one value per page. */

import { assert } from '../../../src/base/assert.js';
import { type Errno, errnoName } from '../../../src/base/errno.js';
import { vpn } from '../../../src/base/units.js';
import { checkMirrors } from '../../../src/check/mirrors.js';
import type { MirrorContext } from '../../../src/driver/mirror/mirrorContext.js';
import type { MirrorDevice } from '../../../src/driver/mirror/mirrorDevice.js';
import { MirrorDriver } from '../../../src/driver/mirror/mirrorDriver.js';
import type { MirrorResult, PageSink, PageSource } from '../../../src/driver/mirror/mirrorResult.js';
import { usedPages } from '../../../src/memory/folioScan.js';
import { Mm } from '../../../src/mm/process/mm.js';
import {
  checkAccounting,
  type KernelOptions,
  type Machine,
  makeMachine,
  run,
  TestCpu,
} from '../../mm/harness.js';

export interface MirrorMachineOptions extends KernelOptions {
  /** 128 unless told. */
  readonly chunkPages?: number;
}

/** Every test buffer starts here. */
export const BUF = 1024;

/** A machine whose devices are all mirrors, one process with a CPU, and one context per device. */
export class MirrorMachine {
  readonly machine: Machine;
  readonly driver: MirrorDriver;
  readonly mm: Mm;
  readonly cpu: TestCpu;
  readonly contexts: readonly MirrorContext[];

  constructor(options: MirrorMachineOptions = {}) {
    this.machine = makeMachine({ ramPages: 512, vramPages: [256, 256], ...options });
    const { kernel, calls } = this.machine;
    this.driver = new MirrorDriver(kernel, calls, { chunkPages: options.chunkPages ?? 128 });
    this.mm = new Mm(kernel, 1);
    this.cpu = new TestCpu(this.machine, this.mm);
    this.contexts = this.driver.devices.map((device) => this.open(device, this.mm));
  }

  open(device: MirrorDevice, mm: Mm): MirrorContext {
    const context = run(this.machine.kernel, device.open(mm));
    assert(typeof context !== 'number', 'the device could not be opened');
    return context;
  }

  /** Every rule that can be checked at rest. */
  check(mms: readonly Mm[] = [this.mm]): void {
    checkAccounting(this.machine.kernel, mms);
    this.checkRules(mms);
  }

  /** The mirror driver's rules alone: where pages have holders that are no entries. */
  checkRules(mms: readonly Mm[] = [this.mm]): void {
    const { kernel } = this.machine;
    for (const rule of checkMirrors(kernel, mms, this.driver.devices, usedPages(kernel.folios, []))) {
      const result = rule.result(() => []);
      assert(result.ok, () => `${result.name}: ${result.detail}`);
    }
  }

  /** Word 0 of each page, or the errno. */
  read(dev: number, off: number, npages: number): number[] | string {
    const { values, sink } = firstWords();
    const context = this.contexts[dev];
    this.last = run(this.machine.kernel, this.driver.read(context, vpn(BUF + off), npages, sink));
    return this.outcome(values);
  }

  /** Page i gets `first + i` in every word. */
  write(dev: number, off: number, npages: number, first: number): string {
    const source = counting(first);
    const context = this.contexts[dev];
    this.last = run(this.machine.kernel, this.driver.write(context, vpn(BUF + off), npages, source));
    return this.summary();
  }

  toDevice(dev: number, off: number, npages: number): number[] | string {
    const { values, sink } = firstWords();
    const context = this.contexts[dev];
    const command = this.driver.migrateToDevice(context, vpn(BUF + off), npages, sink);
    this.last = run(this.machine.kernel, command);
    return this.outcome(values);
  }

  toSystem(dev: number, off: number, npages: number): string {
    const command = this.driver.migrateToSystem(this.contexts[dev], vpn(BUF + off), npages);
    this.last = run(this.machine.kernel, command);
    return this.summary();
  }

  exclusive(dev: number, off: number, npages: number): number[] | string {
    const { values, sink } = firstWords();
    const command = this.driver.views.exclusive(this.contexts[dev], vpn(BUF + off), npages, sink);
    this.last = run(this.machine.kernel, command);
    return this.outcome(values);
  }

  checkExclusive(dev: number, off: number, npages: number): string {
    const command = this.driver.views.checkExclusive(this.contexts[dev], vpn(BUF + off), npages);
    this.last = run(this.machine.kernel, command);
    return this.summary();
  }

  snapshot(dev: number, off: number, npages: number): number[] | string {
    const prot = new Uint8Array(npages);
    const command = this.driver.views.snapshot(this.contexts[dev], vpn(BUF + off), npages, prot);
    this.last = run(this.machine.kernel, command);
    return this.outcome([...prot]);
  }

  /** CPU stores: page i gets `first + i` in word 0. */
  store(off: number, npages: number, first: number): void {
    for (let i = 0; i < npages; i++) {
      const errno: Errno = run(this.machine.kernel, this.cpu.store(BUF + off + i, first + i));
      assert(errno === 0, () => `store failed: ${errnoName(errno)}`);
    }
  }

  load(off: number, npages = 1): number[] {
    return Array.from({ length: npages }, (_, i) => run(this.machine.kernel, this.cpu.load(BUF + off + i)));
  }

  /** Of the last command. */
  last: MirrorResult = { errno: 0, cpages: 0, faults: 0 };

  private outcome(values: number[]): number[] | string {
    return this.last.errno === 0 ? values : errnoName(this.last.errno);
  }

  /** `cpages/faults`, or the errno. */
  private summary(): string {
    const { errno, cpages, faults } = this.last;
    return errno === 0 ? `${cpages}/${faults}` : errnoName(errno);
  }
}

/** A sink that keeps word 0 of each page. */
function firstWords(): { values: number[]; sink: PageSink } {
  const values: number[] = [];
  const take = (i: number, words: Int32Array): void => {
    values[i] = words[0];
  };
  return { values, sink: { take } };
}

function counting(first: number): PageSource {
  return {
    fill: (i, words) => {
      words.fill(first + i);
    },
  };
}
