/** What is made of a recorded run: spans that nest, phases, waits with their holders, causes, flows from actor to actor. */

import { beforeAll, describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { vpn } from '../../../src/base/units.js';
import { DeviceStep } from '../../../src/device/deviceStep.js';
import { inSpace, spaceId } from '../../../src/device/gpuSpace.js';
import { MigrateTrigger } from '../../../src/driver/driverStep.js';
import { MmapStep } from '../../../src/mm/area/mmap.js';
import type { EventArguments } from '../../../src/observe/trace/eventArguments.js';
import { instantSteps, spanRules } from '../../../src/observe/trace/spanRules.js';
import {
  type Instant,
  readTimeline,
  type Span,
  type TimelineSink,
} from '../../../src/observe/trace/timeline.js';
import type { Trace } from '../../../src/observe/trace/trace.js';
import { TraceCollector } from '../../../src/observe/trace/traceCollector.js';
import { TraceRecorder } from '../../../src/observe/trace/traceRecorder.js';
import { TRACE_RING_WORDS, TraceRing } from '../../../src/observe/trace/traceRing.js';
import { type StepId, type Steps, stepByName } from '../../../src/sim/steps.js';
import { actorId, Task } from '../../../src/sim/task.js';
import { recordedCounters, recordedRun } from './recordedRun.js';

interface Ended {
  readonly span: Span;
  readonly endNs: number;
  readonly depth: number;
  /** Of the step that ended it. */
  readonly endArgs: EventArguments;
}

/** Keeps all, and sees that spans of one lane nest. */
class Notes implements TimelineSink {
  readonly ended: Ended[] = [];
  readonly instants: Instant[] = [];
  readonly counters: { actor: number; name: string; timeNs: number; value: number }[] = [];
  readonly times: number[] = [];
  private readonly open = new Map<string, Span[]>();

  onBegin(span: Span): void {
    this.times.push(span.beginNs);
    const lane = this.lane(span);
    lane.push(span);
  }
  onEnd(span: Span, endNs: number, endArgs: EventArguments): void {
    this.times.push(endNs);
    const lane = this.lane(span);
    if (lane.at(-1) !== span) throw new Error(`${span.name} ends within another span`);
    lane.pop();
    this.ended.push({ span, endNs, depth: lane.length, endArgs });
  }
  onInstant(instant: Instant): void {
    this.times.push(instant.timeNs);
    this.instants.push(instant);
  }
  onCounter(actor: number, name: string, timeNs: number, value: number): void {
    this.counters.push({ actor, name, timeNs, value });
  }
  get stillOpen(): number {
    return [...this.open.values()].flat().length;
  }
  named(name: string): Ended[] {
    return this.ended.filter(({ span }) => span.name === name);
  }
  private lane({ actor, lane }: Span): Span[] {
    const key = `${actor}.${lane}`;
    const spans = this.open.get(key) ?? [];
    this.open.set(key, spans);
    return spans;
  }
}

let trace: Trace;
let notes: Notes;
beforeAll(async () => {
  trace = await recordedRun();
  notes = new Notes();
  readTimeline(trace, notes);
});

it('every rule names steps that exist', () => {
  const names = new Set(trace.steps.map(({ name }) => name));
  const used = spanRules.flatMap(({ begin, end, phases }) => [begin, ...end, ...Object.keys(phases)]);
  for (const name of [...used, ...instantSteps]) expect(names, name).toContain(name);
});

describe('a timeline', () => {
  it('has nothing dropped, and closes every span in order of time', () => {
    expect(trace.dropped).toBe(0);
    expect(notes.stillOpen).toBe(0);
    expect(notes.ended.length).toBeGreaterThan(1000);
    expect(notes.ended.every(({ span, endNs }) => endNs >= span.beginNs)).toBe(true);
    expect(notes.times).toEqual(notes.times.toSorted((a, b) => a - b));
  });

  it('tells faults, migrations, invalidations, calls and kernels', () => {
    for (const name of [
      'GPU fault',
      'CPU fault',
      'migrate to device',
      'migrate to RAM',
      'invalidate',
      'munmap',
      'kernel',
    ])
      expect(notes.named(name).length, name).toBeGreaterThan(0);
  });

  it('says why pages moved', () => {
    const causes = new Set(
      notes.ended.flatMap(({ span: { category, args } }) =>
        category === 'migration' && args.cause !== undefined ? [args.cause] : [],
      ),
    );
    expect(causes).toContain('GPU fault');
    expect(causes).toContain('CPU fault');
    for (const cause of causes)
      expect([
        'GPU fault',
        'CPU fault',
        'HMM walk',
        'kernel access',
        'eviction',
        'prefetch',
        'policy',
      ]).toContain(cause);
  });

  it('tells migrations to RAM for a CPU from those for a device, as the counters do', async () => {
    const { svm_cpu_migrate_count: forCpu, svm_hmm_migrate_count: forDevice } = await recordedCounters();
    const causes = notes.named('migrate to RAM').map(({ span }) => span.args.cause);
    const home = causes.filter((cause) => cause === 'CPU fault');
    expect([home.length, causes.length]).toEqual([forCpu, forCpu + forDevice]);
    expect(forDevice).toBeGreaterThan(0);
  });

  it('splits migrations to a device into phases that fill them', () => {
    const copies = notes.named('copy');
    expect(copies.length).toBeGreaterThan(0);
    const whole = notes
      .named('migrate to device')
      .find(({ span }) =>
        copies.some(
          (copy) =>
            copy.span.beginNs > span.beginNs &&
            copy.endNs < notes.times[notes.times.length - 1] &&
            copy.span.lane === span.lane,
        ),
      );
    expect(whole).toBeDefined();
    const { span, endNs } = whole as Ended;
    const phases = notes.ended.filter(
      (one) =>
        one.span.lane === span.lane &&
        one.span.actor === span.actor &&
        one.span.beginNs >= span.beginNs &&
        one.endNs <= endNs &&
        ['collect, unmap and invalidate', 'allocate', 'copy', 'remap'].includes(one.span.name),
    );
    const covered = phases.reduce((sum, one) => sum + one.endNs - one.span.beginNs, 0);
    expect(covered).toBeCloseTo(endNs - span.beginNs, 3);
  });

  it('shows waits for locks with who is in the way', () => {
    const waits = notes.ended.filter(({ span }) => span.category === 'lock');
    expect(waits.some(({ span }) => /mmap_lock/.test(span.name))).toBe(true);
    expect(waits.some(({ span }) => span.args.holder !== undefined)).toBe(true);
  });

  it('ties a fault on a device to its service, and an invalidation to the device that obeys', () => {
    const raised = new Set(
      notes.instants.filter(({ name }) => name === 'device.faultRaised').map(({ flow }) => flow),
    );
    const served = notes.named('GPU fault').filter(({ span }) => raised.has(span.flow));
    expect(served.length).toBeGreaterThan(0.9 * notes.named('GPU fault').length);
    const invalidations = new Set(notes.named('invalidate').map(({ span }) => span.flow));
    const obeyed = notes.instants.filter(({ name }) => name === 'device.tlbInvalidate');
    expect(obeyed.some(({ flow }) => invalidations.has(flow))).toBe(true);
  });

  it('counts faults that are outstanding, never below none, and none at the end', () => {
    const faults = notes.counters.filter(({ name }) => name === 'faults outstanding');
    expect(faults.length).toBeGreaterThan(0);
    expect(Math.min(...faults.map(({ value }) => value))).toBe(0);
    for (const actor of [1, 2]) expect(faults.findLast((one) => one.actor === actor)?.value).toBe(0);
  });

  it('ties a message to its delivery, and to what the task does that serves it', () => {
    const sent = notes.instants.filter(({ name }) => name === 'send cpu.munmap');
    const received = notes.instants.filter(({ name }) => name === 'receive cpu.munmap');
    const flows = new Set(sent.map(({ flow }) => flow));
    expect(sent.length).toBeGreaterThan(0);
    expect(received.map(({ flow }) => flow).sort()).toEqual([...flows].sort());
    expect(received.every(({ actor, args }) => actor === 0 && /^cpu/.test(String(args.from)))).toBe(true);
    expect(notes.named('munmap').filter(({ span }) => flows.has(span.flow))).toHaveLength(sent.length);
    expect(notes.instants.filter(({ name }) => name === 'receive reply to cpu.munmap')).toHaveLength(
      sent.length,
    );
  });

  it('ties almost every invalidation that a device obeys to what asked for it', () => {
    const asked = new Set(notes.ended.map(({ span }) => span.flow));
    const obeyed = notes.instants.filter(({ name }) => name === 'device.tlbInvalidate');
    expect(obeyed.filter(({ flow }) => asked.has(flow)).length).toBeGreaterThan(0.95 * obeyed.length);
  });

  it('counts memory in use and what links carried, which only grows', () => {
    expect(notes.counters.some(({ name, value }) => name === 'VRAM pages in use' && value > 0)).toBe(true);
    const carried = notes.counters.filter(
      ({ actor, name }) => actor === 1 && name === 'RAM to VRAM: bytes carried',
    );
    const values = carried.map(({ value }) => value);
    expect(values.length).toBeGreaterThan(0);
    expect(values).toEqual(values.toSorted((a, b) => a - b));
    const underWay = notes.counters.findLast(
      ({ actor, name }) => actor === 1 && name === 'RAM to VRAM: bytes under way',
    );
    expect(underWay?.value).toBe(0);
  });

  it('says at its end that events are missing', () => {
    const lossy = new Notes();
    readTimeline({ ...trace, dropped: 3 }, lossy);
    expect(lossy.instants.at(-1)).toMatchObject({ name: 'events are missing', args: { count: 3 } });
    expect(notes.instants.at(-1)?.name).not.toBe('events are missing');
  });
});

function step(name: string): StepId {
  const found = stepByName(name);
  if (found === undefined) throw new Error(`no step ${name}`);
  return found.id;
}

type TaskStep = readonly [task: number, step: StepId, a: number, b: number, c: number, d?: number];
/** Of these tasks the Coordinator's are those from here on; the others are the device's. */
const COORDINATORS = 100;

const SPACE = inSpace(spaceId(1), vpn(0));

function* noSteps(): Steps<void> {}

/** What is made of steps of a GPU's tasks and of the Coordinator's, one nanosecond after another; a task is spawned with its first. Task 0 is none: deliveries, from actor `a`. */
function toldOf(steps: readonly TaskStep[]): Notes {
  const rings = new SharedArrayBuffer(TraceRing.bytesFor(2));
  const clock = { readNs: 0, slice: 0, now: () => ++clock.readNs };
  const recorders = [0, 1].map((actor) => new TraceRecorder(new TraceRing(rings, actor), clock, 0, actor));
  const tasks = new Map<number, Task>();
  for (const [id, step, a, b, c, d = 0] of steps) {
    if (id === 0) {
      recorders[a === 0 ? 1 : 0].onStep(null, step, a, b, c, d);
      continue;
    }
    const actor = id >= COORDINATORS ? 0 : 1;
    const task = tasks.get(id) ?? new Task(id, actorId(actor), `task${id}`, noSteps(), false);
    if (!tasks.has(id)) recorders[actor].onSpawn(task);
    tasks.set(id, task);
    recorders[actor].onStep(task, step, a, b, c, d);
  }
  const told = new Notes();
  const actors = ['coordinator', 'gpu0'];
  const head = { scenario: 's', executor: 'threads', seed: 1, actors, devices: 1 } as const;
  readTimeline(new TraceCollector(rings).finish(head), told);
  return told;
}

describe('a timeline of a few steps', () => {
  const { mmap, mapped } = MmapStep;
  const { copyChunk, linkEnd } = DeviceStep;

  it('draws a span on the lowest line that no other has at that time', () => {
    const told = toldOf([
      [1, mmap, 0, 1, 0],
      [2, mmap, 0, 1, 0],
      [1, mapped, 0, 1, 0],
      [3, mmap, 0, 1, 0],
      [3, mapped, 0, 1, 0],
      [2, mapped, 0, 1, 0],
    ]);
    expect(told.named('mmap').map(({ span }) => [span.task, span.lane])).toEqual([
      ['task1', 0],
      ['task3', 0],
      ['task2', 1],
    ]);
  });

  it('says of a span that it was cut off by the end of the recording', () => {
    const told = toldOf([
      [1, mmap, 0, 1, 0],
      [1, mapped, 0, 1, 0],
      [2, mmap, 0, 1, 0],
    ]);
    expect(told.named('mmap').map(({ endArgs }) => endArgs.cut)).toEqual([undefined, 1]);
  });

  it('ends what is open within a span with it, and nothing where the span did not begin in the recording', () => {
    const [fault, walk, done] = [step('fault.cpu'), step('hmm.rangeFault'), step('fault.cpuDone')];
    const told = toldOf([
      [1, fault, 0, 0, 0],
      [1, walk, 0, 1, 0],
      [1, done, 0, 0, 0],
      [2, mmap, 0, 1, 0],
      [2, done, 0, 0, 0],
      [2, mapped, 0, 1, 0],
    ]);
    expect(told.ended.map(({ span }) => span.name)).toEqual(['HMM walk', 'CPU fault', 'mmap']);
  });

  it('takes an eviction for the cause of its migration, and the policy for that of one which nobody announced', () => {
    const told = toldOf([
      [1, step('pagemap.evict'), 0, 4, 0],
      [1, step('pagemap.evictDone'), 0, 4, 0],
      [2, step('pagemap.toDevmem'), 0, 4, 0],
      [2, step('pagemap.toDevmemDone'), 0, 4, 0],
    ]);
    const causes = told.ended.filter(({ span }) => span.phaseOf === null).map(({ span }) => span.args.cause);
    expect(causes).toEqual(['eviction', 'policy']);
  });

  it('takes up the cause that a migration has announced where it had to make room first', () => {
    const announce = step('driver.migrateStart');
    const told = toldOf([
      [100, step('driver.fault'), 500, 0, 0],
      [100, announce, 500, 1, 2, MigrateTrigger.GpuFault],
      [100, announce, 100, 1, 1, MigrateTrigger.Eviction],
      [100, step('pagemap.evict'), 0, 1, 4],
      [100, step('pagemap.evictDone'), 0, 1, 0],
      [100, step('pagemap.toDevmem'), 500, 1, 0, 5],
      [100, step('pagemap.toDevmemDone'), 500, 1, 0],
      [100, step('driver.faultDone'), 500, 0, 0],
    ]);
    expect(told.named('evict')[0].span.args.cause).toBe('eviction');
    expect(told.named('migrate to device')[0].span.args.cause).toBe('GPU fault');
  });

  it('knows what a prefetch is for through all that it does, and forgets what a fault was for', () => {
    const announce = step('driver.migrateStart');
    const [begin, end] = [step('pagemap.toDevmem'), step('pagemap.toDevmemDone')];
    const told = toldOf([
      [100, announce, 500, 2, 1, MigrateTrigger.Prefetch],
      [100, announce, 100, 1, 1, MigrateTrigger.Eviction],
      [100, step('pagemap.evict'), 0, 1, 4],
      [100, step('pagemap.evictDone'), 0, 1, 0],
      [100, begin, 500, 1, 0],
      [100, end, 500, 1, 0],
      [100, begin, 501, 1, 0],
      [100, end, 501, 1, 0],
      [101, step('driver.fault'), 700, 0, 0],
      [101, announce, 700, 1, 1, MigrateTrigger.GpuFault],
      [101, step('driver.faultDone'), 700, 0, 0],
      [101, begin, 800, 1, 0],
      [101, end, 800, 1, 0],
    ]);
    const causes = told.named('migrate to device').map(({ span }) => span.args.cause);
    expect(causes).toEqual(['prefetch', 'prefetch', 'policy']);
  });

  it('begins the copy again where an eviction takes another pass', () => {
    const told = toldOf([
      [100, step('pagemap.evict'), 0, 4, 1],
      [100, step('pagemap.copiedToRam'), 0, 4, 2],
      [100, step('pagemap.evictRetry'), 4, 1, 0],
      [100, step('pagemap.copiedToRam'), 0, 4, 2],
      [100, step('pagemap.evictDone'), 0, 4, 0],
    ]);
    const phases = told.ended.filter(({ span }) => span.phaseOf === 'evict').map(({ span }) => span.name);
    expect(phases).toEqual(['copy', 'remap', 'copy', 'remap']);
  });

  it('ends an attempt to get pages where the next one begins, and tells the moment too', () => {
    const [begin, again] = [step('gpusvm.getPages'), step('gpusvm.getPagesRetry')];
    const told = toldOf([
      [100, begin, 0, 4, 0],
      [100, again, 0, 4, 0, Errno.EAGAIN],
      [100, begin, 0, 4, 0],
      [100, step('gpusvm.getPagesDone'), 0, 4, 0, Errno.OK],
    ]);
    expect(told.named('get pages').map(({ depth, endArgs }) => [depth, endArgs.errno])).toEqual([
      [0, '-EAGAIN'],
      [0, '0'],
    ]);
    expect(told.instants.map(({ name }) => name)).toEqual(['gpusvm.getPagesRetry']);
  });

  describe('of faults of a device', () => {
    const { faultRaised, faultDelivered, faultServed } = DeviceStep;
    const [send, reply, deliver] = [step('sim.send'), step('sim.reply'), step('sim.deliver')];

    /** Task `n` takes the fault to the host, where 100 + n serves it as call `n`. */
    function served(n: number, page: number, between: readonly TaskStep[] = []): TaskStep[] {
      return [
        [n, faultDelivered, 0, page, 0],
        [n, send, 0, 1, n],
        [0, deliver, 1, 1, n],
        [100 + n, step('driver.fault'), page % SPACE, 0, 0],
        ...between,
        [100 + n, step('driver.faultDone'), page % SPACE, 0, 0],
        [100 + n, reply, 1, 0, n],
        [0, deliver, 0, 0, n],
        [n, faultServed, 0, page, 0],
      ];
    }

    function flowsOf(told: Notes): Record<string, number[]> {
      const instants = (name: string): number[] =>
        told.instants.filter((one) => one.name === name).map(({ flow }) => flow);
      const services = told.named('GPU fault').map(({ span }) => span.flow);
      return { raised: instants('device.faultRaised'), services, served: instants('device.faultServed') };
    }

    it('joins a context that comes later to the fault that is there', () => {
      const told = toldOf([
        [1, faultRaised, 0, 100, 0, 1],
        ...served(10, 100, [[2, faultRaised, 0, 100, 0, 2]]),
      ]);
      const { raised, services, served: ends } = flowsOf(told);
      expect(new Set([...raised, ...services, ...ends]).size).toBe(1);
      expect([raised.length, services.length, ends.length]).toEqual([2, 1, 1]);
    });

    it('keeps the faults of two processes at one address apart, and those of one that come one after the other', () => {
      const told = toldOf([
        [1, faultRaised, 0, 100, 0, 1],
        ...served(10, 100),
        [2, faultRaised, 0, SPACE + 100, 0, 1],
        ...served(11, SPACE + 100),
        [1, faultRaised, 0, 100, 0, 1],
        ...served(12, 100),
      ]);
      const { raised, services, served: ends } = flowsOf(told);
      expect(new Set(raised).size).toBe(3);
      expect([services, ends]).toEqual([raised, raised]);
    });

    it('says the address as the process knows it, and its space', () => {
      const told = toldOf([[1, faultRaised, 0, SPACE + 100, 0, 1]]);
      expect(told.instants[0].args).toMatchObject({ address: '0x64000', space: 1 });
    });
  });

  it('adds up the pages that were copied', () => {
    const told = toldOf([
      [1, copyChunk, 0, 0, 64],
      [1, copyChunk, 0, 64, 6],
    ]);
    const copied = told.counters.filter(({ name }) => name === 'pages copied');
    expect(copied.map(({ value }) => value)).toEqual([64, 70]);
  });

  it('has no bytes under way where they are told of when they have passed', () => {
    const told = toldOf([
      [1, linkEnd, 0, 0, 4096],
      [1, linkEnd, 0, 0, 8192],
    ]);
    expect(told.counters.map(({ name, value }) => [name, value])).toEqual([
      ['RAM to VRAM: bytes carried', 4096],
      ['RAM to VRAM: bytes carried', 12288],
    ]);
  });
});

it('a trace counts the events that were dropped in all of its rings', () => {
  const rings = new SharedArrayBuffer(TraceRing.bytesFor(2));
  for (const [index, drops] of [
    [0, 2],
    [1, 3],
  ]) {
    const ring = new TraceRing(rings, index);
    expect(ring.reserve(TRACE_RING_WORDS + 1)).toBe(false);
    for (let i = 0; i < drops; i++) ring.drop();
  }
  const head = { scenario: 's', executor: 'threads', seed: 1, actors: ['coordinator'], devices: 0 } as const;
  expect(new TraceCollector(rings).finish(head).dropped).toBe(5);
});
