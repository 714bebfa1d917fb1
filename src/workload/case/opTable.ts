/** All operations that cases can carry out, by driver. */

import type { PlainOp } from '../../case/opSchemas.js';
import type { CaseDriver } from '../workloadConfig.js';
import { attributeOps } from './attributeOps.js';
import { counterOps } from './counterOps.js';
import { cpuOps } from './cpuOps.js';
import { fileOps } from './fileOps.js';
import { gpuOps } from './gpuOps.js';
import { listOps } from './listOps.js';
import { memoryOps } from './memoryOps.js';
import { mirrorOps } from './mirrorOps.js';
import type { OpHandlers } from './opHandler.js';
import { pageOps } from './pageOps.js';
import { processOps } from './processOps.js';
import { viewOps } from './viewOps.js';
import { vmBindOps } from './vmBindOps.js';
import { vramOps } from './vramOps.js';

/** Operations that do not depend on the driver. */
const common = { ...cpuOps, ...memoryOps, ...fileOps, ...pageOps, ...processOps, ...viewOps };

/** What the test device has: little beyond its commands. */
const mirror: Partial<OpHandlers> = { ...common, ...mirrorOps };

/** All there are, but for what blocks do themselves. */
const reference: OpHandlers<Exclude<PlainOp, 'barrier'>> = {
  ...common,
  ...gpuOps,
  ...counterOps,
  ...listOps,
  ...vmBindOps,
  ...attributeOps,
  ...vramOps,
};

export const opTables: Readonly<Record<CaseDriver, Partial<OpHandlers>>> = { mirror, reference };

/** Whether the test device has an operation; GPUs of the reference driver have them all. */
export function mirrorCanDo(op: PlainOp): boolean {
  return mirror[op] !== undefined;
}
