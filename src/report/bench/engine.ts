/** What `bench engine` says: steps, lock hand-offs and messages per second of each executor. */

import { relativeSpread, summaryOf } from '../../base/statistics.js';
import type { EngineCell, EnginePart } from '../../simulation/bench/engine.js';
import { left, right } from '../textTable.js';
import { formatCount, formatNs, formatShare, plural } from '../units.js';
import type { BenchReport } from './benchReport.js';
import { warmupsResult, warmupsText } from './warmups.js';

const NANOSECONDS_PER_SECOND = 1e9;

const titles: Readonly<Record<EnginePart, string>> = {
  steps: 'steps',
  handoffs: 'lock hand-offs',
  messages: 'messages, many under way',
  'round-trips': 'round trips, one at a time',
};

export const engineReport: BenchReport<EngineCell> = {
  metrics: { rate: { unit: '/s', clock: 'wall', better: 'higher', what: 'how many of them in a second' } },
  measured: (cell) => ({ key: engineKey(cell), samples: { rate: ratesOf(cell) } }),
  checks: (cells) => {
    const wrong = cells.filter(({ status }) => status === 'Error');
    const detail =
      wrong.length === 0
        ? `everything that was started ended in ${plural(cells.length, 'measurement')}`
        : `${formatCount(wrong.length)} failed, first ${engineKey(wrong[0])}: ${wrong[0].reason}`;
    return [{ name: 'ended', ok: wrong.length === 0, detail }];
  },
  blocks: (cells) => {
    const rows = cells
      .filter(({ times }) => times.length > 0)
      .map((cell) => {
        const rates = summaryOf(ratesOf(cell));
        return [
          cell.executor,
          titles[cell.part],
          formatCount(rates.median),
          formatShare(relativeSpread(rates)),
          formatNs(NANOSECONDS_PER_SECOND / rates.median),
          warmupsText(cell),
        ];
      });
    const columns = [
      left('Executor'),
      left('What'),
      right('per second (wall)'),
      right('±'),
      right('one every (wall)'),
      right('warm-ups'),
    ];
    return [{ columns, rows }];
  },
  results: (cell) => {
    const { executor, part, status, times } = cell;
    const head = { name: engineKey(cell), executor, part };
    if (times.length === 0) return [{ ...head, wall: null, status }];
    const { count, median, min, max, spread } = summaryOf(ratesOf(cell));
    const wall = {
      perSecond: median,
      minPerSecond: min,
      maxPerSecond: max,
      spreadPerSecond: spread,
      samples: count,
      ...warmupsResult(cell),
    };
    return [{ ...head, wall, status }];
  },
};

export function engineKey({ executor, part }: Pick<EngineCell, 'executor' | 'part'>): string {
  return `${executor}.${part}`;
}

function ratesOf({ times, count }: EngineCell): number[] {
  return times.map((ns) => (count / ns) * NANOSECONDS_PER_SECOND);
}
