/** Where the time of one migration goes: a row for each test and size, and the share of copying. */

import type { MigrateCell } from '../../simulation/bench/migrate.js';
import { type MigratePhase, migratePhases, type PhaseSplit } from '../../simulation/bench/phaseSplit.js';
import type { ClockName } from '../clock.js';
import type { TableBlock } from '../reportBlock.js';
import { left, right } from '../textTable.js';
import { formatNs, formatShare } from '../units.js';
import { migrateKey } from './migrateKey.js';

const titles: Readonly<Record<MigratePhase, string>> = {
  fault: 'fault',
  collect: 'collect',
  lockWait: 'lock wait',
  unmapAndInvalidate: 'unmap, invalidate',
  allocate: 'allocate',
  copy: 'copy',
  remap: 'remap',
  getPages: 'get pages',
  bind: 'bind',
};

export function copyShareOf({ wholeNs, phasesNs }: PhaseSplit): number {
  return wholeNs === 0 ? 0 : phasesNs.copy / wholeNs;
}

export function phaseBlocks(cells: readonly MigrateCell[], clock: ClockName): TableBlock[] {
  const rows = cells.flatMap((cell) => {
    const split = cell.phases[clock];
    if (split === null) return [];
    const times = migratePhases.map((phase) => timeText(split.phasesNs[phase]));
    return [[migrateKey(cell), formatNs(split.wholeNs), ...times, formatShare(copyShareOf(split))]];
  });
  if (rows.length === 0) return [];
  const columns = [
    left(`One migration (${clock}, mean)`),
    right('whole'),
    ...migratePhases.map((phase) => right(titles[phase])),
    right('copy share'),
  ];
  return [{ columns, rows }];
}

function timeText(ns: number): string {
  return ns > 0 ? formatNs(ns) : '-';
}
