/** The page of all counters, as Markdown made from their table. */

import { counterTable } from '../src/observe/counters.js';

export function countersPage(): string {
  const rowsOf = (perDevice: boolean): string[] =>
    counterTable
      .filter((row) => row.perDevice === perDevice)
      .map(({ name, unit, meaning, from }) => `| \`${name}\` | ${unit} | ${meaning} | ${from} |`);
  const head = ['| counter | unit | what it counts | made from |', '|---|---|---|---|'];
  return [
    '# Counters',
    '',
    'What `counters` holds in the JSON documents of runs ([json.md](json.md)); under `threads` those in `us` stand in `wallCounters`. Names are those of xe GT stats where there is one. `kb` are 1024 bytes, pages have 4 KiB, and',
    '`us` are microseconds of the clock of the executor: wall time under `threads`, simulated time under `virtual`; but `svm_copy_us` is what the cost model says of copies, and 0 under `threads`, where nothing is modelled.',
    '',
    '## Per device',
    '',
    'For the run as a whole each is there as the sum over all devices.',
    '',
    ...head,
    ...rowsOf(true),
    '',
    '## Per run',
    '',
    ...head,
    ...rowsOf(false),
    '',
  ].join('\n');
}
