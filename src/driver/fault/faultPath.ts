/** The ways that a GPU fault may take through the driver, for which a machine may take different times. */

import type { TimeCost } from '../../sim/timeCost.js';

export const FaultPath = {
  /** Another fault was faster: there was nothing left to do. */
  Spurious: 'spurious',
  /** The pages were mapped where they are. */
  Present: 'present',
  /** Pages came from RAM, or holes were filled. */
  Migrate: 'migrate',
  /** Pages came from another device. */
  Peer: 'peer',
  /** The access was refused, or memory ran out. */
  Refused: 'refused',
} as const;
export type FaultPath = (typeof FaultPath)[keyof typeof FaultPath];

/** The driver's own time on a fault, beside what is counted page by page. */
export type FaultPathCosts = Readonly<Record<FaultPath, TimeCost>>;

export const NO_FAULT_PATH_COSTS: FaultPathCosts = {
  spurious: 0,
  present: 0,
  migrate: 0,
  peer: 0,
  refused: 0,
};
