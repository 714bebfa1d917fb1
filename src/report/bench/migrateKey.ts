/** Names of the cells of `bench migrate` in figures and tables. */

import type { MigrateVariant } from '../../simulation/bench/migrate.js';
import { formatBytes } from '../units.js';

/** Largest range unless another one is asked for; names of figures leave it out. */
export const DEFAULT_RANGE_BYTES = 2 ** 21;

/** `host_to_device.2MiB`, and what differs from the usual. */
export function migrateKey({ test, sizeBytes, rangeBytes, storm, joined }: MigrateVariant): string {
  const isUsual = rangeBytes >= Math.min(sizeBytes, DEFAULT_RANGE_BYTES);
  const ranges = isUsual ? '' : `.${formatBytes(rangeBytes)}-ranges`;
  return `${test}.${formatBytes(sizeBytes)}${ranges}${joined ? '.joined' : ''}${storm ? '.storm' : ''}`;
}
