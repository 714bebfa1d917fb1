/** Runs workloads on a flat address space under the virtual executor: an instance per actor, as in a real run, and a gate to hold it. */

import type { Errno } from '../../src/base/errno.js';
import { formatVpn, vpn } from '../../src/base/units.js';
import { Completion } from '../../src/sim/completion.js';
import { Gate } from '../../src/sim/gate.js';
import { Random } from '../../src/sim/random.js';
import type { Steps } from '../../src/sim/steps.js';
import { actorId } from '../../src/sim/task.js';
import { RandomStrategy } from '../../src/sim/virtual/randomStrategy.js';
import { VirtualExecutor } from '../../src/sim/virtual/virtualExecutor.js';
import { GhostBoard } from '../../src/workload/ghostBoard.js';
import { makeWorkload } from '../../src/workload/makeWorkload.js';
import type {
  ActorProgress,
  DeviceContext,
  Expectation,
  HostContext,
  Workload,
  WorkloadResult,
} from '../../src/workload/workload.js';
import type { WorkloadConfig } from '../../src/workload/workloadConfig.js';
import { type FlatBug, FlatSpace } from './flatSpace.js';

export interface FlatMachineOptions {
  readonly devices?: number;
  readonly contexts?: number;
  readonly seed?: number;
  readonly frames?: number;
  readonly spurious?: number;
  readonly refused?: number;
  readonly bug?: FlatBug;
  /** Where pages lie, for programs that ask; a flat space has but one place. */
  readonly placement?: Pick<HostContext, 'prefetch' | 'residentPages'>;
}

const STEPS_MAX = 20_000_000;
const PHASE_STEPS_MAX = 5_000_000;

/** The instances of one workload. */
interface Instances {
  readonly host: Workload;
  readonly devices: readonly Workload[];
  /** The main thread's, that is asked for expectations. */
  readonly main: Workload;
}

export class FlatMachine {
  readonly space: FlatSpace;
  readonly sched: VirtualExecutor;
  readonly results: (WorkloadResult | null)[];
  private stopping = false;
  /** A name for each launch, in order. */
  launches = 0;
  private readonly gate: Gate;
  private readonly instances: readonly Instances[];
  private readonly devices: number;
  private readonly contexts: number;
  private readonly seed: number;

  constructor(
    private readonly configs: readonly WorkloadConfig[],
    private readonly options: FlatMachineOptions = {},
  ) {
    this.devices = options.devices ?? 2;
    this.contexts = options.contexts ?? 3;
    this.seed = options.seed ?? 1;
    const faults = { spurious: options.spurious ?? 0, refused: options.refused ?? 0 };
    const space = { frames: options.frames ?? 2048, faults, bug: options.bug ?? null };
    this.space = new FlatSpace(space, new Random(this.seed, 77));
    this.sched = new VirtualExecutor(new RandomStrategy(this.seed));
    this.gate = new Gate(this.sched, 'pause');
    this.results = configs.map(() => null);
    this.instances = this.makeInstances();
    configs.forEach((config, index) => {
      this.gate.join();
      this.sched.spawn(actorId(index), config.name, this.runHost(index));
    });
  }

  /** Runs until nothing can run, or a stop of some kind. */
  finish(): readonly WorkloadResult[] {
    const end = this.sched.run(() => false, STEPS_MAX);
    if (end === 'failed') throw this.sched.failure;
    if (end !== 'idle') throw new Error(`the run ends by ${end}`);
    return this.results.map((result) => {
      if (result === null) throw new Error('a workload is stuck');
      return result;
    });
  }

  /** Runs `steps` steps, then until all that runs is parked at the gate. False when all work is done. */
  runToQuiescence(steps: number): boolean {
    const end = this.sched.run(() => false, steps);
    if (end === 'failed') throw this.sched.failure;
    let parked = false;
    this.gate.close(() => {
      parked = true;
    });
    const closing = this.sched.run(() => parked, PHASE_STEPS_MAX);
    if (closing === 'failed') throw this.sched.failure;
    if (!parked) throw new Error('the run does not come to rest');
    return this.results.some((result) => result === null);
  }

  /** Asks programs and kernels to end. */
  stop(): void {
    this.stopping = true;
    this.gate.ending = true;
  }

  resume(): void {
    this.gate.open();
  }

  /** Everything that memory does not hold as it must, in words. */
  violations(): string[] {
    return this.configs.flatMap((_, index) => this.violationsOf(index));
  }

  /** Runs to the end, resting every `steps` steps to look at all of memory. The first violations found, or none. */
  runVerified(steps: number): string[] {
    while (this.runToQuiescence(steps)) {
      const found = this.violations();
      if (found.length > 0) return found;
      this.resume();
    }
    return this.violations();
  }

  /** As the main thread gets it: sent between threads. */
  progressOf(index: number): ActorProgress[] {
    const { host, devices } = this.instanceOf(index);
    const progress = [
      { device: -1, progress: host.progress() },
      ...devices.map((workload, device) => ({ device, progress: workload.progress() })),
    ];
    return structuredClone(progress);
  }

  expectations(index: number): Expectation[] {
    return this.instanceOf(index).main.expect(this.progressOf(index));
  }

  private violationsOf(index: number): string[] {
    const found: string[] = [];
    for (const { start, npages, check } of this.expectations(index)) {
      for (let page = start; page < start + npages; page = vpn(page + 1)) {
        const wrong = check(page, this.space.wordsOf(page));
        if (wrong !== null) found.push(`${formatVpn(page)}: ${wrong}`);
      }
    }
    return found;
  }

  private instanceOf(index: number): Instances {
    const instances = this.instances[index];
    if (instances === undefined) throw new Error(`no workload ${index}`);
    return instances;
  }

  /** Each over a board of its own, made from the same buffer. */
  private makeInstances(): Instances[] {
    const { configs, devices, contexts, seed } = this;
    const buffer = new SharedArrayBuffer(GhostBoard.bytesFor(configs));
    const make = (config: WorkloadConfig, index: number): Workload => {
      const board = new GhostBoard(buffer, configs);
      return makeWorkload(config, index, { deviceCount: devices, contextsPerDevice: contexts, seed, board });
    };
    return configs.map((config, index) => ({
      host: make(config, index),
      devices: Array.from({ length: devices }, () => make(config, index)),
      main: make(config, index),
    }));
  }

  private *runHost(index: number): Steps<void> {
    this.results[index] = yield* this.instanceOf(index).host.run(this.hostContext(index));
    this.gate.leave();
  }

  /** Operations of loads, in their order. */
  readonly loads: string[] = [];

  private hostContext(index: number): HostContext {
    const { space, sched, gate, devices } = this;
    const machine = this;
    return {
      index,
      deviceCount: devices,
      random: new Random(this.seed, index),
      gate,
      memory: space.memory,
      get stopping() {
        return machine.stopping;
      },
      tryPage: (page, write) => space.tryPage(page, write, false),
      release: () => {},
      fault: (page, write) => space.fault(page, write, false),
      mmap: (hint, npages, prot, flags) => space.mmap(hint, npages, prot, flags),
      munmap: (page, npages) => space.munmap(page, npages),
      mprotect: (page, npages, prot) => space.mprotect(page, npages, prot),
      madvise: (page, npages) => space.madvise(page, npages),
      mremap: (page, npages, newPages, flags, to) => space.mremap(page, npages, newPages, flags, to),
      brk: () => never('brk'),
      counter: () => null,
      prefetch: () => never('prefetch'),
      residentPages: () => unsupported(),
      ...this.options.placement,
      setMembership: () => unsupported(),
      unbind: () => unsupported(),
      now: () => sched.now(),
      sleep: (ns) => sched.sleep(ns),
      launch: (device, phase, a, b) => this.launch(index, device, phase, a, b),
      enterProcess: () => unsupported(),
      get payload(): never {
        throw new Error('a flat machine has no payloads');
      },
      ioctl: () => unsupported(),
      noteLoad: (load) => {
        this.loads.push(load);
      },
      *checkpoint() {},
      forgetLatencies: () => {},
      parallel: (operations) => this.parallel(operations),
    };
  }

  private *launch(index: number, device: number, phase: number, a: number, b: number): Steps<Errno> {
    this.gate.leave();
    this.launches++;
    const workload = this.instanceOf(index).devices[device];
    if (workload === undefined) throw new Error(`no device ${device}`);
    const kernel = workload.kernel(device, phase, a, b);
    const contexts = Array.from({ length: this.contexts }, (_, i) => kernel(this.deviceContext(device, i)));
    const errnos = yield* this.runAll(contexts);
    yield* this.gate.rejoin();
    return errnos.find((errno) => errno !== 0) ?? 0;
  }

  private *parallel(operations: readonly Steps<Errno>[]): Steps<readonly Errno[]> {
    this.gate.leave();
    const errnos = yield* this.runAll(operations);
    yield* this.gate.rejoin();
    return errnos;
  }

  private *runAll(operations: readonly Steps<Errno>[]): Steps<readonly Errno[]> {
    const errnos: Errno[] = operations.map(() => 0);
    const ended = new Completion(this.sched, 'the end of all');
    let open = operations.length;
    operations.forEach((operation, i) => {
      this.gate.join();
      this.sched.spawn(
        actorId(0),
        `operation${i}`,
        this.runOne(operation, (errno) => {
          errnos[i] = errno;
          open--;
          if (open === 0) ended.completeAll();
        }),
      );
    });
    if (open > 0) yield* ended.wait();
    return errnos;
  }

  private *runOne(operation: Steps<Errno>, onEnd: (errno: Errno) => void): Steps<void> {
    yield* this.gate.pass();
    onEnd(yield* operation);
    this.gate.leave();
  }

  private deviceContext(device: number, index: number): DeviceContext {
    const { space, gate, contexts } = this;
    return {
      device,
      index,
      count: contexts,
      gate,
      memory: space.memory,
      tryPage: (page, write) => space.tryPage(page, write, true),
      tryAtomic: (page) => space.tryPage(page, true, true),
      release: () => {},
      fault: (page, write) => space.fault(page, write, true),
    };
  }
}

function never(name: string): never {
  throw new Error(`the flat machine has no ${name}`);
}

function unsupported(): never {
  throw new Error('a flat machine has one process and no drivers');
}
