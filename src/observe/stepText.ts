/** A named step with its arguments, in words. */

import { errnoName, isErrno } from '../base/errno.js';
import { formatVpn, type Vpn } from '../base/units.js';
import { pageInSpace, spaceOf } from '../device/gpuSpace.js';
import { formatPfn, type Pfn } from '../memory/pfn.js';
import { notifyEventName } from '../mm/mirror/mmuNotifier.js';
import { messageName } from '../sim/message.js';
import type { StepField } from '../sim/steps.js';
import { loadClasses } from '../workload/workloadConfig.js';

/** `args` may be longer than the step has fields; messages are told with who is at the other end. */
export function stepText(
  name: string,
  fields: readonly StepField[],
  args: readonly number[],
  /** By actor. */
  actorNames: readonly string[],
): string {
  if (name === 'sim.send' || name === 'sim.reply') return `${name} ${messageText('to', args, actorNames)}`;
  if (name === 'sim.deliver') return `${name} ${messageText('from', args, actorNames)}`;
  return [name, ...fields.flatMap((field, i) => argumentTexts(field, args[i]))].join(' ');
}

function messageText(direction: string, args: readonly number[], actorNames: readonly string[]): string {
  const peer = actorNames[args[0]] ?? `actor ${args[0]}`;
  return `${direction} ${peer}: ${args[1] === 0 ? 'a reply' : messageName(args[1])}`;
}

function argumentTexts(field: StepField, value: number): string[] {
  if (field !== 'gpuVpn') return [`${fieldName(field)}=${argumentText(field, value)}`];
  const page = value as Vpn;
  return [`address=${formatVpn(pageInSpace(page))}`, `space=${spaceOf(page)}`];
}

/** Where a page begins is told as an address, not as a page number. */
export function fieldName(field: StepField): string {
  return field === 'vpn' || field === 'gpuVpn' ? 'address' : field === 'npages' ? 'pages' : field;
}

function argumentText(field: StepField, value: number): string {
  switch (field) {
    case 'vpn':
      return value >= 0 ? formatVpn(value as Vpn) : errnoText(value);
    case 'pfn':
      return formatPfn(value as Pfn);
    case 'errno':
      return errnoText(value);
    case 'event':
      return notifyEventName(value);
    case 'load':
      return loadClasses[value] ?? String(value);
    case 'device':
      return value < 0 ? 'none' : `gpu${value}`;
    case 'flags':
      return `0x${value.toString(16)}`;
    case 'ns':
      return value.toFixed(0);
    default:
      return String(value);
  }
}

function errnoText(value: number): string {
  return isErrno(value) ? errnoName(value) : String(value);
}
