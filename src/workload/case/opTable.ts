/** All operations that cases can carry out, by driver: an operation without a row makes a case be skipped with that reason. */

import type { PlainOp } from '../../case/opSchemas.js';
import type { CaseDriver } from '../workloadConfig.js';
import { attributeOps } from './attributeOps.js';
import { counterOps } from './counterOps.js';
import { cpuOps } from './cpuOps.js';
import { fileOps } from './fileOps.js';
import { gpuOps } from './gpuOps.js';
import { listOps } from './listOps.js';
import { memoryOps } from './memoryOps.js';
import { mirrorDeviceOps, mirrorOps } from './mirrorOps.js';
import type { OpHandlers } from './opHandler.js';
import { pageOps } from './pageOps.js';
import { processOps } from './processOps.js';
import { vmBindOps } from './vmBindOps.js';
import { vramOps } from './vramOps.js';

/** Operations that do not depend on the driver. */
const common: Partial<OpHandlers> = { ...cpuOps, ...memoryOps, ...fileOps, ...pageOps, ...processOps };

export const opTables: Readonly<Record<CaseDriver, Partial<OpHandlers>>> = {
  mirror: { ...common, ...mirrorOps, ...mirrorDeviceOps },
  reference: { ...common, ...gpuOps, ...counterOps, ...listOps, ...vmBindOps, ...attributeOps, ...vramOps },
};

/** Whether a driver has an operation. */
export function canDo(driver: CaseDriver, op: PlainOp): boolean {
  return opTables[driver][op] !== undefined;
}
