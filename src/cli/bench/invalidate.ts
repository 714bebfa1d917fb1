/** `svmsim bench invalidate`: how long it takes until no device has a page any more. */

import { invalidateKey, invalidateReport } from '../../report/bench/invalidate.js';
import { formatNs } from '../../report/units.js';
import {
  type InvalidateCell,
  type InvalidateEvent,
  type InvalidateOptions,
  invalidateEvents,
} from '../../simulation/bench/invalidate.js';
import { LIMITS } from '../../simulation/simulationConfig.js';
import { ascendingCounts, chosenOf, refusal, sizeList } from '../optionValues.js';
import { type Benchmark, textOption } from './benchmark.js';

const DEFAULT_SIZES = '4KiB,64KiB';
const DEFAULT_DEVICES = '1,8';
const SIZE_BYTES_MAX = 2 ** 21;
const RATE_MAX = 100_000;

export const invalidateBenchmark: Benchmark<InvalidateOptions, InvalidateCell> = {
  name: 'invalidate',
  what: 'time from the start of an invalidation to the last acknowledgement, by event, span, devices, rate and overlap',
  scenario: 'bench-mirror',
  takes: ['clock', 'layout', 'sizes', 'devices', 'events', 'rates', 'overlaps', 'policy'],
  sweepsDevices: true,
  samplesMax: 1000,
  report: invalidateReport,
  plan: ({ typed, config, samples, clocks }) => {
    const events: readonly InvalidateEvent[] = chosenOf(
      '--events',
      textOption(typed, 'events', 'all'),
      invalidateEvents,
    );
    const sizes = sizeList('--sizes', textOption(typed, 'sizes', DEFAULT_SIZES));
    if (sizes.some((size) => size > SIZE_BYTES_MAX))
      throw refusal('--sizes', String(typed.sizes), 'at most 2MiB');
    const devices = ascendingCounts('--devices', String(typed.devices ?? DEFAULT_DEVICES), LIMITS.devicesMax);
    const rates = ratesOf(textOption(typed, 'rates', 'most'));
    const overlaps = overlapsOf(textOption(typed, 'overlaps', 'none'));
    const variants = events.flatMap((event) =>
      sizes.flatMap((spanBytes) =>
        devices.flatMap((count) =>
          rates.flatMap((rate) =>
            overlaps.map((overlap) => ({ event, spanBytes, devices: count, rate, overlap })),
          ),
        ),
      ),
    );
    const largest = { ...config, deviceCount: devices[devices.length - 1] };
    return { options: { variants, samples, clocks }, largest, keys: variants.map(invalidateKey) };
  },
  measure: (simulator, config, options) => simulator.bench.invalidate(config, options),
  progress: (cell) => {
    const wall = cell.wall === null ? '' : `, ${formatNs(cell.wall.latency.p50Ns)} (wall)`;
    return `${invalidateKey(cell)} ${cell.status}${wall}`;
  },
};

/** `100,most`: rounds per second. @throws UserError */
function ratesOf(typed: string): number[] {
  const rates = typed.split(',').map((text) => {
    const word = text.trim();
    if (word === 'most') return 0;
    const rate = /^\d{1,6}$/.test(word) ? Number(word) : 0;
    if (rate >= 1 && rate <= RATE_MAX) return rate;
    throw refusal('--rates', word, `most, or whole numbers per second from 1 to ${RATE_MAX}`);
  });
  return [...new Set(rates)];
}

/** `none,0,50,100`: percentages of a span that two calls at once have in common. @throws UserError */
function overlapsOf(typed: string): (number | null)[] {
  const overlaps = typed.split(',').map((text) => {
    const word = text.trim();
    if (word === 'none') return null;
    const percent = /^\d{1,3}$/.test(word) ? Number(word) : Number.NaN;
    if (percent <= 100) return percent;
    throw refusal('--overlaps', word, 'none, or percentages from 0 to 100');
  });
  return [...new Set(overlaps)];
}
