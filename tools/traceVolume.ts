/**
 * How long ten million events take from their recording to files: `tsx tools/traceVolume.ts RUN.svmtrace [events] [endings]`. The events of a recorded run are written again
 * and again, one round after the other in time, by the recorder that runs use; then all are merged and exported.
 */

import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Trace } from '../src/observe/trace/trace.js';
import { TraceCollector } from '../src/observe/trace/traceCollector.js';
import {
  readTrace,
  type TracedWait,
  type TraceEvent,
  type TraceVisitor,
} from '../src/observe/trace/traceReader.js';
import { TraceRecorder } from '../src/observe/trace/traceRecorder.js';
import { TraceRing } from '../src/observe/trace/traceRing.js';
import { readTraceFile } from '../src/report/trace/traceFile.js';
import { writeTrace } from '../src/report/trace/traceFormat.js';
import { type StepId, type Steps, stepByName } from '../src/sim/steps.js';
import { actorId, Task } from '../src/sim/task.js';

const EVENTS = 10_000_000;
const [path, wanted, endings = 'pftrace'] = process.argv.slice(2);
if (path === undefined) throw new Error('usage: traceVolume.ts RUN.svmtrace [events]');
const target = wanted === undefined ? EVENTS : Number(wanted);
const source = readTraceFile(path).trace;
const actors = source.actors.length;
const buffer = new SharedArrayBuffer(TraceRing.bytesFor(actors));
const collector = new TraceCollector(buffer);

const clock = { ns: 0, readNs: 0, slice: 0, now: (): number => clock.ns };
/** Every actor has a ring of its own, as under `threads`. */
const recorders = source.actors.map(
  (_, actor) => new TraceRecorder(new TraceRing(buffer, actor), clock, 0, actor, () => collector.drain()),
);

/** Hands each event to the recorder of its actor again. */
class Again implements TraceVisitor {
  round = 0;
  written = 0;
  lastNs = 0;
  private readonly steps: readonly (StepId | undefined)[];
  private readonly tasks = new Map<number, Task>();

  constructor({ steps }: Trace) {
    this.steps = steps.map(({ name }) => stepByName(name)?.id);
  }

  onStep(event: TraceEvent, step: number, task: string): void {
    const id = this.steps[step];
    if (id === undefined) return;
    const [a, b, c, d] = event.args;
    this.recorderOf(event).onStep(this.taskOf(event, task), id, a, b, c, d);
  }

  onBlocked(event: TraceEvent, task: string, { reason, holder }: TracedWait): void {
    const holders = holder === null ? [] : [this.taskNamed(event, holder)];
    this.recorderOf(event).onBlock(this.taskOf(event, task), {
      describeWait: () => reason,
      holders: () => holders,
    });
  }

  onWoken(event: TraceEvent, task: string): void {
    this.recorderOf(event).onWake(this.taskOf(event, task));
  }

  onSpawned(event: TraceEvent, task: string): void {
    this.recorderOf(event).onSpawn(this.taskOf(event, task));
  }

  private recorderOf({ head, timeNs }: TraceEvent): TraceRecorder {
    this.written++;
    clock.ns = this.round + timeNs;
    this.lastNs = clock.ns;
    return recorders[head.actor];
  }

  private taskOf(event: TraceEvent, name: string): Task {
    return this.taskNamed(event, name);
  }

  private taskNamed({ head }: TraceEvent, name: string): Task {
    const key = head.actor * 2 ** 22 + head.task;
    const known = this.tasks.get(key);
    if (known !== undefined && known.name === name) return known;
    const made = new Task(head.task, actorId(head.actor), name, nothing(), false);
    this.tasks.set(key, made);
    return made;
  }
}

function* nothing(): Steps<void> {}

function took(what: string, startMs: number, detail = ''): void {
  const seconds = (performance.now() - startMs) / 1000;
  const mib = process.resourceUsage().maxRSS / 1024;
  const { user, system } = process.cpuUsage();
  const cpu = ((user + system) / 1e6).toFixed(1);
  process.stdout.write(
    `${what}: ${seconds.toFixed(1)}s (wall)${detail}, at most ${mib.toFixed(0)}MiB and ${cpu}s of processor time so far\n`,
  );
}

const startMs = performance.now();
const again = new Again(source);
while (again.written < target) {
  readTrace(source, again);
  again.round = again.lastNs + 1000;
}
const { scenario, executor, seed, devices } = source;
const trace = collector.finish({ scenario, executor, seed, devices, actors: source.actors });
took('recorded', startMs, `, ${trace.events} events, ${trace.dropped} without room`);
for (const ending of endings.split(',')) {
  const file = join(tmpdir(), `svmsim-volume-${process.pid}.${ending}`);
  const exportMs = performance.now();
  writeTrace('--trace', file, trace);
  took(`written as ${ending}`, exportMs);
  rmSync(file);
}
