/** A span of a process's addresses, as requests name it. */

import type { Vpn } from '../../base/units.js';
import type { Mm } from '../../mm/process/mm.js';

export interface Span {
  readonly mm: Mm;
  readonly start: Vpn;
  readonly end: Vpn;
}
