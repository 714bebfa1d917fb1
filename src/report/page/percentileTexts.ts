/** Latencies as cells of a table: p50, p90, p99 and the largest. */

import { hasPercentile } from '../../observe/tailLatency.js';
import type { LatencyData } from '../html/reportData.js';
import { textIfKnown } from '../known.js';
import { formatNs } from '../units.js';

export const percentileTitles = ['p50', 'p90', 'p99', 'max'] as const;

/** Under {@link percentileTitles}. */
export function percentileTexts({ count, p50Ns, p90Ns, p99Ns, maxNs }: LatencyData): string[] {
  const told = (ns: number, fraction: number): string =>
    textIfKnown(hasPercentile(count, fraction) ? ns : null, formatNs);
  return [formatNs(p50Ns), told(p90Ns, 0.9), told(p99Ns, 0.99), formatNs(maxNs)];
}
