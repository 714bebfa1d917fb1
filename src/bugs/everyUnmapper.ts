/** Reaches the unmapping half of every migration, by whichever driver. */

import type { Machine } from '../actors/machine.js';
import type { MigrateUnmap } from '../mm/migrate/migrateUnmap.js';

export function everyUnmapper({ coordinator }: Machine, visit: (unmapper: MigrateUnmap) => void): void {
  visit(coordinator.migrateUnmap);
  if (coordinator.mirror !== null) visit(coordinator.mirror.migrateUnmap);
}
