/** The parts of a picture of lanes: plain data that imports nothing, since the page of a report is made of it too. */

export interface LaneStep {
  /** Of the executor, from 1. */
  readonly step: number;
  readonly actor: number;
  readonly task: string;
  /** What it did, in the order in which it did it. */
  readonly events: readonly string[];
  /** Empty while it can go on. */
  readonly waits: string;
  /** A task that serves others found nothing to do. */
  readonly isIdle: boolean;
}

export interface LaneMessage {
  readonly name: string;
  readonly fromStep: number;
  readonly fromActor: number;
  readonly toStep: number;
  readonly toActor: number;
}

/** A lock that a task held: from the step in which it got it to the one in which it gave it back. */
export interface LaneHold {
  readonly lock: string;
  readonly mode: string;
  readonly task: string;
  readonly actor: number;
  readonly fromStep: number;
  toStep: number;
}

export interface PageChange {
  readonly step: number;
  readonly page: string;
  readonly parts: readonly string[];
}
