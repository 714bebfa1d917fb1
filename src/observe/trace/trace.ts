/** A recorded run: the words that its threads wrote, and what a reader needs to understand them. */

import type { CatalogedStep } from '../stepCatalog.js';

/** Of which run it is. */
export interface TraceHead {
  readonly scenario: string;
  readonly executor: 'virtual' | 'threads';
  readonly seed: number;
  /** By actor: the Coordinator, the devices, the CPU threads. */
  readonly actors: readonly string[];
  readonly devices: number;
}

/** Plain data, in memory and in a file. */
export interface Trace extends TraceHead {
  /** By step number: a file is read without the program that wrote it. */
  readonly steps: readonly CatalogedStep[];
  /** Names of the types of messages, from type 1 on. */
  readonly messages: readonly string[];
  /** Per ring, in the order in which they were written. */
  readonly rings: readonly (readonly Float64Array[])[];
  /** Events in it. */
  readonly events: number;
  /** Events that found their ring full. */
  readonly dropped: number;
}
