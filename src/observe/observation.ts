/** Reads what all actors of a run have counted and measured so far, together. */

import type { StepField, StepId } from '../sim/steps.js';
import type { ObserverBuffers } from './actorObserver.js';
import { Histogram } from './histogram.js';
import type { Latency } from './latency.js';
import { CELL_WORDS, deviceKey, type Meter, Meters } from './meters.js';
import { STEP_WORDS } from './observerSection.js';
import { argumentOf, stepNumber } from './stepCatalog.js';

/** While actors run, what it reads is a little old and not of one moment; each number by itself is right. */
export class Observation {
  constructor(private readonly buffers: ObserverBuffers) {}

  /** Named steps that an actor has taken; all actors' without one. */
  steps(actor?: number): number {
    if (actor !== undefined) return stepsIn(this.buffers.section(actor).steps);
    let total = 0;
    for (let i = 0; i < this.buffers.actorCount; i++) total += this.steps(i);
    return total;
  }

  /** How often a step was taken. */
  count(step: StepId): number {
    return this.sumWords(stepNumber(step) * STEP_WORDS);
  }

  /** How often one actor took a step. */
  countOf(actor: number, step: StepId): number {
    return this.buffers.section(actor).steps[stepNumber(step) * STEP_WORDS];
  }

  /** The sum of one argument over all occurrences of a step. */
  sum(step: StepId, field: StepField): number {
    return this.sumWords(stepNumber(step) * STEP_WORDS + 1 + argumentOf(step, field));
  }

  /** Occurrences under one key of a meter. */
  metered(meter: Meter, key: number): number {
    return this.sumCells((meter.firstCell + key) * CELL_WORDS);
  }

  /** Sum of the meter's argument under one key. */
  meteredSum(meter: Meter, key: number): number {
    return this.sumCells((meter.firstCell + key) * CELL_WORDS + 1);
  }

  /** The latencies of all keys of a meter together, or of one. */
  latency(meter: Meter, key?: number): Latency {
    return this.histogram(meter, key).latency();
  }

  histogram(meter: Meter, key?: number): Histogram {
    const merged = Histogram.create();
    const first = key ?? 0;
    const end = key === undefined ? meter.keys : key + 1;
    for (let actor = 0; actor < this.buffers.actorCount; actor++) {
      const section = this.buffers.section(actor);
      for (let at = first; at < end; at++) {
        if (section.cells[(meter.firstCell + at) * CELL_WORDS] > 0)
          merged.merge(section.histogram(meter, at));
      }
    }
    return merged;
  }

  private sumWords(at: number): number {
    let sum = 0;
    for (let actor = 0; actor < this.buffers.actorCount; actor++)
      sum += this.buffers.section(actor).steps[at];
    return sum;
  }

  private sumCells(at: number): number {
    let sum = 0;
    for (let actor = 0; actor < this.buffers.actorCount; actor++)
      sum += this.buffers.section(actor).cells[at];
    return sum;
  }
}

function stepsIn(words: Float64Array): number {
  let total = 0;
  for (let at = 0; at < words.length; at += STEP_WORDS) total += words[at];
  return total;
}

/** From the arrival of a GPU's fault at the driver to the answer. */
export function faultServiceLatency(observation: Observation, device: number): Latency {
  return observation.latency(Meters.gpuFault, deviceKey(device));
}

/** From the raising of a fault on the device to the answer: what a context waits. */
export function faultStallLatency(observation: Observation, device: number): Latency {
  return observation.latency(Meters.gpuStall, deviceKey(device));
}

/** From the start of an invalidation to the return of its last callback. */
export function invalidationLatency(observation: Observation): Latency {
  return observation.latency(Meters.invalidation);
}

export function tlbInvalidationLatency(observation: Observation, device: number): Latency {
  return observation.latency(Meters.tlbInvalidation, deviceKey(device));
}

/** Of whole ranges: to a device, to RAM for a fault, and of allocations that were evicted. */
export function migrationLatencies(
  observation: Observation,
): Readonly<Record<'toDevice' | 'toRam' | 'eviction', Latency>> {
  return {
    toDevice: observation.latency(Meters.toDeviceLatency),
    toRam: observation.latency(Meters.toRamLatency),
    eviction: observation.latency(Meters.evictionLatency),
  };
}
