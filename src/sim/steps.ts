/** Named steps: the atomic boundaries of the protocol, and the only thing that schedulers, counters, traces and checkers see of it. */

import { assert } from '../base/assert.js';
import type { Brand } from '../base/brand.js';

/** Identifies a named step within one process; files store the name, never this number. */
export type StepId = Brand<number, 'StepId'>;

/**
 * A protocol function that may sleep or be overtaken: it yields a {@link StepId} wherever another task may run, and returns its result.
 * Code between two yields is atomic, as under a spinlock.
 */
export type Steps<T> = Generator<StepId, T, void>;

/** What arguments of steps can be. */
export const stepFields = [
  'vpn',
  /** A page as a device says it: with the address space that it is in. */
  'gpuVpn',
  'npages',
  'pfn',
  'device',
  'errno',
  'bytes',
  'ns',
  'count',
  'id',
  'flags',
  'event',
  /** A class of load. */
  'load',
] as const;

/** What an argument of a step is, so that a reader of events can find all that touched one page or one device. */
export type StepField = (typeof stepFields)[number];

export interface StepDefinition {
  readonly id: StepId;
  readonly name: string;
  /** Meaning of the up to four arguments given to `Scheduler.at`. */
  readonly fields: readonly StepField[];
}

const definitions: StepDefinition[] = [];
const byName = new Map<string, StepDefinition>();

export const STEP_FIELDS_MAX = 4;

/** Registers a step. Names are `room.action`, unique, and stable, since recorded schedules and traces refer to them. */
export function defineStep(name: string, ...fields: StepField[]): StepId {
  assert(!byName.has(name), () => `step ${name} is defined twice`);
  assert(fields.length <= STEP_FIELDS_MAX, () => `step ${name} has more than ${STEP_FIELDS_MAX} fields`);
  const id = definitions.length as StepId;
  const definition: StepDefinition = { id, name, fields };
  definitions.push(definition);
  byName.set(name, definition);
  return id;
}

/** Yielded by a task that has put itself on some wait list: it is not runnable until `Scheduler.wake`. */
export const PARK: StepId = defineStep('sim.park');

/** Yielded where another task may run before the next line; which step it is the scheduler knows already. */
export const STEP: StepId = defineStep('sim.step');

/** A message is taken to its receiver, which under `virtual` is a choice of the schedule. */
export const PUMP: StepId = defineStep('sim.pump');

/** Name and arguments of a step that some module has defined. */
export function stepDefinition(id: StepId): StepDefinition {
  return definitions[id];
}

export function stepByName(name: string): StepDefinition | undefined {
  return byName.get(name);
}

export function stepCount(): number {
  return definitions.length;
}
