/** A step of a case in words, as reports name it. */

import type { Step } from '../../case/opSchemas.js';

/** `step 3 (r1): cpu_read buf=A off=0`; `index` counts from 0. */
export function describeStep({ op, as, args }: Step, index: number): string {
  const label = as === undefined ? '' : ` (${as})`;
  return `step ${index}${label}: ${op} ${describeArgs(args)}`;
}

function describeArgs(args: object): string {
  const text = Object.entries(args)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ');
  return text.length > 200 ? `${text.slice(0, 200)}...` : text;
}
