/** What a user most likely did not mean, although it can be run: told on standard error, beside the result. */

import type { SimulationConfig } from '../simulation/simulationConfig.js';

const loadKinds: ReadonlySet<string> = new Set(['invalidate', 'join-leave', 'trace', 'events']);

/** Lines without an end of line. */
export function runNotes(
  command: string,
  { executor, workloads }: Pick<SimulationConfig, 'executor' | 'workloads'>,
  { preset }: { readonly preset?: string },
): string[] {
  const notes: string[] = [];
  if (command === 'stress' && !workloads.some(({ kind }) => loadKinds.has(kind)))
    notes.push(
      'no load: nothing unmaps, protects or moves memory in this scenario; --load names some, such as --load munmap,fork=10',
    );
  if (preset !== undefined && executor === 'threads')
    notes.push(
      `--preset ${preset} does not change times under threads, which are those of this machine; --executor virtual has simulated ones`,
    );
  return notes.map((note) => `svmsim: note: ${note}`);
}
