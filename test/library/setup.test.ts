/** All code that a setup brings takes part, none of it is left out in silence. */

import { describe, expect, it } from 'vitest';
import {
  explore,
  type PrefetchPolicy,
  passed,
  type Setup,
  SteppedRun,
  simulate,
  UserError,
} from '../../src/index.js';
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

it.each([
  ['null', 'null'],
  ['5', '5'],
  ['[]', 'a list'],
])('refuses %s instead of a setup', async (given, found) => {
  const message = `setup: found ${found}, allowed: an object with some of the keys scenario, `;
  const start = (setup: Setup): Promise<SteppedRun> => SteppedRun.start(setup);
  for (const call of [simulate, start, explore])
    await expect(call(JSON.parse(given))).rejects.toThrow(message);
});

describe('a mistake that types would have told', () => {
  const untyped = (text: string): object => JSON.parse(text);
  const mistakes: readonly (readonly [string, RegExp])[] = [
    ['{"foo": 1}', /^setup: key 'foo': found an unknown key, allowed: scenario, /],
    ['{"programms": {}}', /did you mean 'programs'\?/],
    ['{"placement": 5}', /^setup: key 'placement': found a number, allowed: placement \{name/],
    ['{"placement": {"name": "a"}}', /found an object \{name: string\}, allowed: placement/],
    ['{"drivers": [5]}', /^setup: key 'drivers': found a list \{0: number\}, allowed: /],
    ['{"programs": {"a": 5}}', /^setup: key 'programs'/],
    ['{"drivers": [5]}', /^setup: key 'drivers'/],
    [
      '{"scenario": 5}',
      /^setup: key 'scenario': found 5, allowed: the path of a scenario file, or an object/,
    ],
    ['{"scenario": []}', /^setup: key 'scenario': found a list, allowed/],
    ['{"scenario": null}', /^setup: key 'scenario': found null, allowed/],
    ['{"seed": -1}', /^setup: key 'seed': found -1, allowed: a whole number from 0/],
    ['{"devices": 0}', /^setup: key 'devices': found 0/],
  ];
  it.each(mistakes)('of the setup %s', async (setup, message) => {
    const error: unknown = await simulate({ scenario, ...untyped(setup) }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UserError);
    expect(error).toHaveProperty('message', expect.stringMatching(message));
  });

  it('of an executor that cannot be stepped', async () => {
    await expect(SteppedRun.start({ scenario, executor: 'threads' })).rejects.toThrow(UserError);
    await expect(explore({ scenario, executor: 'threads' })).rejects.toThrow(UserError);
  });

  it.each([
    ['{"strategy": "foo"}', /^explore: key 'strategy': found foo, allowed: random, /],
    ['{"schedules": 0}', /^explore: key 'schedules': found 0, allowed: a whole number from 1/],
    ['{"schedule": 5}', /did you mean 'schedules'\?/],
  ] as const)('of a search %s', async (options, message) => {
    const error: unknown = await explore({ scenario }, untyped(options)).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UserError);
    expect(error).toHaveProperty('message', expect.stringMatching(message));
  });
});
