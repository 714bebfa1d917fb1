/** What links carried: from which place to which, and when. */

import { linkEnds, RAM } from '../../observe/trace/linkEnds.js';
import type { Trace } from '../../observe/trace/trace.js';
import type { TraceEvent, TraceVisitor } from '../../observe/trace/traceReader.js';
import type { TrafficData } from './reportData.js';
import { Samples } from './samples.js';

export class Traffic implements TraceVisitor {
  /** By kind of way. */
  readonly carried = new Map<string, Samples>();
  private readonly places: readonly string[];
  private readonly bytes: number[][];
  private readonly step: number;

  constructor({ steps, devices }: Trace) {
    this.places = ['RAM', ...Array.from({ length: devices }, (_, device) => `gpu${device}`)];
    this.bytes = this.places.map(() => this.places.map(() => 0));
    this.step = steps.findIndex(({ name }) => name === 'device.linkEnd');
  }

  onStep({ args, timeNs }: TraceEvent, step: number): void {
    if (step !== this.step) return;
    const [device, link, bytes] = args;
    const [from, to] = linkEnds(device, link);
    this.bytes[from][to] += bytes;
    const name = wayOf(from, to);
    const samples = this.carried.get(name) ?? new Samples();
    this.carried.set(name, samples);
    samples.add(timeNs, bytes);
  }

  onBlocked(): void {}
  onWoken(): void {}
  onSpawned(): void {}

  data(): TrafficData {
    return { places: this.places, bytes: this.bytes };
  }
}

function wayOf(from: number, to: number): string {
  if (from === to) return 'within a device';
  if (from === RAM) return 'RAM to VRAM';
  return to === RAM ? 'VRAM to RAM' : 'from device to device';
}
