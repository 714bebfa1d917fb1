/** The arguments of an event by name, as people read them. */

import { errnoName, isErrno } from '../../base/errno.js';
import { PAGE_BYTES, vpn } from '../../base/units.js';
import { pageInSpace, spaceOf } from '../../device/gpuSpace.js';
import { notifyEventName } from '../../mm/mirror/mmuNotifier.js';
import type { StepField } from '../../sim/steps.js';
import { loadClasses } from '../../workload/workloadConfig.js';
import { fieldName } from '../stepText.js';

export type EventArguments = Readonly<Record<string, number | string>>;

export function eventArguments(fields: readonly StepField[], values: Float64Array): EventArguments {
  const args: Record<string, number | string> = {};
  fields.forEach((field, i) => {
    const plain = fieldName(field);
    const name = args[plain] === undefined ? plain : `${plain}${i}`;
    args[name] = shown(field, values[i]);
    if (field === 'gpuVpn') args.space = spaceOf(vpn(values[i]));
  });
  return args;
}

function shown(field: StepField, value: number): number | string {
  switch (field) {
    case 'gpuVpn':
      return shown('vpn', pageInSpace(vpn(value)));
    case 'vpn':
      return `0x${(value * PAGE_BYTES).toString(16)}`;
    case 'errno':
      return isErrno(value) ? errnoName(value) : value;
    case 'event':
      return notifyEventName(value);
    case 'load':
      return loadClasses[value] ?? value;
    default:
      return value;
  }
}
