/** All code that a setup brings takes part, none of it is left out in silence. */

import { expect, it } from 'vitest';
import { type PrefetchPolicy, passed, type Setup, simulate } from '../../src/index.js';
import { configure } from '../../src/library/setup.js';

const scenario = {
  ram: '16MiB',
  devices: { count: 1, vram: '8MiB' },
  workloads: [{ kind: 'saxpy' as const, elements: 4096 }],
};

it('hands on each kind of code', async () => {
  const code: Pick<Setup, 'placement' | 'eviction' | 'prefetch' | 'drivers' | 'programs'> = {
    placement: { name: 'here', onlySystemPages: false, place: () => -3 },
    eviction: { name: 'first', victim: ([first]) => first ?? null },
    prefetch: { name: 'none', pagesAhead: () => 0 },
    drivers: [],
    programs: {},
  };
  const { extensions } = await configure({ scenario, ...code });
  expect(extensions).toEqual(code);
});

it('asks a prefetch policy after each fault', async () => {
  let asked = 0;
  const prefetch: PrefetchPolicy = {
    name: 'counts',
    pagesAhead: () => {
      asked++;
      return 0;
    },
  };
  const report = await simulate({ scenario, prefetch });
  expect(passed(report)).toBe(true);
  expect(asked).toBeGreaterThan(0);
});
