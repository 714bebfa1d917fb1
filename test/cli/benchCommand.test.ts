/** `svmsim bench`. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { runCli } from '../../src/cli/program.js';
import { migrateCell, migrateFlow, simulationConfig } from '../report/fixtures.js';
import { tempFolder } from '../tempFolder.js';
import { abortError, calibrateCell, FakeHost, lookupCell, mirrorCell } from './fakeHost.js';

let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
});

const folder = tempFolder();

describe('bench', () => {
  it('lists benchmarks', async () => {
    expect(await runCli(['bench', '--list'], host)).toBe(0);
    expect(host.stdout.text).toMatch(/^migrate +\w/);
    expect(host.stdout.text).toMatch(/\nTests of migrate:\nhost_to_device +RAM to each device\n/);
    expect(host.loaded).toEqual([]);
  });

  it('lists those that are named, also as a document', async () => {
    for (const form of [
      ['--json', '-'],
      ['--format', 'json'],
    ]) {
      host = new FakeHost();
      expect(await runCli(['bench', 'lookup', '--list', ...form], host)).toBe(0);
      const { svmsim, command, results } = JSON.parse(host.stdout.text);
      expect({ svmsim, command }).toEqual({ svmsim: host.environment().svmsim, command: 'bench' });
      expect(results).toMatchObject([{ name: 'lookup', tests: [] }]);
    }
  });

  it.each([
    [['--samples', '5'], 'found together with --samples'],
    [['--device-counts', '1,2'], 'found together with --device-counts'],
    [['--format', 'csv'], 'found together with --format csv'],
  ])('refuses --list with %j, which would have no effect', async (words, message) => {
    expect(await runCli(['bench', '--list', ...words], host)).toBe(2);
    expect(host.stderr.text).toContain(message);
    expect(host.stdout.text).toBe('');
  });

  it.each([
    ['migrat', 'did you mean migrate?'],
    ['my.yaml', 'a scenario is named by --scenario my.yaml'],
    [
      'xyzzy',
      'allowed: a benchmark: migrate, fault, invalidate, access, engine, lookup, mirror, explore, calibrate\n',
    ],
  ])('refuses %s', async (name, message) => {
    expect(await runCli(['bench', name], host)).toBe(2);
    expect(host.stderr.text).toContain(message);
  });
});

describe('bench of several', () => {
  it('runs all, one after another, and has one document with all results', async () => {
    expect(await runCli(['bench', '--json', '-'], host)).toBe(0);
    const document = JSON.parse(host.stdout.text);
    const all = ['migrate', 'fault', 'invalidate', 'access', 'engine', 'lookup', 'mirror'];
    expect(document.benchmarks).toEqual(all);
    expect(document.checks.map(({ name }: { name: string }) => name)).toEqual([
      'content',
      'served',
      'content',
      'content',
      'ended',
      'found',
      'content',
    ]);
    expect(document.results).toHaveLength(7);
  });

  it('looks at all options before the first one begins', async () => {
    expect(await runCli(['bench', '--entries', 'many'], host)).toBe(2);
    expect(host.benches).toEqual([]);
  });

  it('ends as badly as the worst', async () => {
    host.bench = async ({ onCell }) => onCell?.(migrateCell({ verified: false }));
    expect(await runCli(['bench'], host)).toBe(1);
  });

  it('begins no further one after an interrupt', async () => {
    host.bench = async () => host.interrupt();
    expect(await runCli(['bench'], host)).toBe(130);
    expect(host.lookups).toEqual([]);
  });
});

describe('what bench writes', () => {
  it('is the document with --format json, as with --json -', async () => {
    expect(await runCli(['bench', 'migrate', '--format', 'json'], host)).toBe(0);
    const document = JSON.parse(host.stdout.text);
    expect(document.wallFigures[0]).toMatchObject({ unit: 'B/s', median: 4e9, better: 'higher' });
    expect(document.figures[0]).toMatchObject({ clock: 'simulated', median: 12.5e9 });
    expect(document.configurations.migrate.presetHash).toMatch(/^[0-9a-f]{12}$/);
  });

  it('is a line for each figure with --format csv', async () => {
    expect(await runCli(['bench', 'lookup', '--format', 'csv'], host)).toBe(0);
    expect(host.stdout.text.split('\n').slice(0, 2)).toEqual([
      'figure,clock,unit,better,median,min,max,spread,samples',
      'lookup.range.1000000.time,wall,ns,lower,200,190,240,14.825999999999999,3',
    ]);
  });

  it('is Markdown with --format markdown, and a document in a file beside it', async () => {
    const file = join(folder, 'out.json');
    expect(await runCli(['bench', 'lookup', '--format', 'markdown', '--json', file], host)).toBe(0);
    expect(host.stdout.text).toContain('| range | 1,000,000 | 200ns |');
    expect(JSON.parse(readFileSync(file, 'utf8')).benchmarks).toEqual(['lookup']);
    const compared = new FakeHost();
    expect(await runCli(['bench', 'lookup', '--baseline', file], compared)).toBe(0);
    expect(compared.stdout.text).toContain(
      '2 figures compared: 1 too few samples (4 needed), 1 untestable: one value of all samples',
    );
  });

  it.each([
    [['lookup', '--format', 'csv', '--json', '-'], 'one result on standard output'],
    [['lookup', '--sizes', '4KiB'], '--sizes is an option of migrate'],
    [['lookup', 'migrate', '--entries', '10'], '--entries is an option of lookup'],
    [['--baseline', 'package.json'], 'a document that svmsim bench wrote'],
    [['lookup', '--threshold', 'lookup.range.1000.tim<1us'], 'did you mean lookup.range.1000.time?'],
    [['lookup', '--threshold', 'lookup.range.1000.time<1GB/s'], 'a number, alone or with ns, us, ms, s'],
    [['lookup', '--threshold', 'fast'], 'NAME OP NUMBER'],
    [
      ['migrate', '--clock', 'simulated', '--threshold', 'migrate.host_to_device.64KiB.bandwidth>1GB/s'],
      'such as migrate.host_to_device.4KiB.simulatedBandwidth',
    ],
    [['fault', '--clock', 'wall', '--threshold', 'fault.*.virtualRate>1'], 'the name of a figure'],
    [['migrate', '--clock', 'sundial'], 'sundial'],
    [['migrate', '--executor', 'virtual', '--clock', 'wall'], '--clock wall: found --executor virtual'],
    [['migrate', '--executor', 'threads', '--clock', 'simulated'], 'found --executor threads'],
    [['mirror', '--devices', '3', '--device-counts', '1,2'], 'found together with --device-counts'],
    [['lookup', '--executor', 'virtual'], 'bench lookup: found --executor'],
    [['lookup', '--preset', 'xe-bmg'], 'bench lookup: found --preset'],
    [['lookup', '--layout', 'n1'], 'bench lookup: found --layout'],
    ...['--scenario', '--preset', '--set', '--seed', '--samples', '--devices', '--executor'].map(
      (option): [string[], string] => [
        ['calibrate', 'xe-bmg', option, option === '--executor' ? 'virtual' : '5'],
        `bench calibrate: found ${option}`,
      ],
    ),
  ])('refuses %j', async (words, message) => {
    expect(await runCli(['bench', ...words], host)).toBe(2);
    expect(host.stderr.text).toContain(message);
    expect([...host.benches, ...host.lookups, ...host.mirrors]).toEqual([]);
  });

  it('ends with 1 when a threshold is broken, and says which', async () => {
    const limits = ['lookup.range.1000000.time<=200ns', 'lookup.*.1000000.time<150ns'];
    const options = limits.flatMap((limit) => ['--threshold', limit]);
    expect(await runCli(['bench', 'lookup', ...options], host)).toBe(1);
    expect(host.stdout.text).toContain('held    lookup.range.1000000.time<=200ns: 200ns');
    expect(host.stdout.text).toContain('BROKEN  lookup.*.1000000.time<150ns: 200ns');
    expect(host.stdout.text).toMatch(/\nFAILED: 1 of 2 thresholds broken\n$/);
    const good = new FakeHost();
    expect(await runCli(['bench', 'lookup', '--threshold', limits[0]], good)).toBe(0);
    const wrong = new FakeHost();
    wrong.lookup = async ({ onCell }) => onCell?.(lookupCell({ verified: false }));
    expect(await runCli(['bench', 'lookup', '--threshold', limits[0]], wrong)).toBe(1);
    expect(wrong.stdout.text).toMatch(/\nFAILED: look-ups went wrong/);
    expect(wrong.stdout.text).not.toContain('PASSED');
    expect(good.stdout.text).toMatch(/\nHeld: .*\n(?:.*\n)*\nPASSED: 1 threshold held\n$/);
  });
});

describe('--fail-on-worse', () => {
  const before = [190, 195, 200, 205, 210];

  /** Look-ups that take this part longer than those of an earlier run. */
  async function compared(percent: string, longer: number, ...options: string[]) {
    const file = join(folder, 'before.json');
    const earlier = new FakeHost();
    earlier.lookup = async ({ onCell }) => onCell?.(lookupCell({ times: before }));
    await runCli(['bench', 'lookup', '--json', file, '--quiet'], earlier);
    const now = new FakeHost();
    const times = before.map((ns) => ns * (1 + longer));
    now.lookup = async ({ onCell }) => onCell?.(lookupCell({ times }));
    const words = ['--baseline', file, '--fail-on-worse', percent, ...options];
    return { status: await runCli(['bench', 'lookup', ...words], now), now };
  }

  it('ends with 1 when a figure is worse by more, and names it', async () => {
    const { status, now } = await compared('20', 0.3);
    expect(status).toBe(1);
    expect(now.stdout.text).toMatch(/\nHeld: .*\n/);
    expect(now.stdout.text).toMatch(
      /\nFAILED: 1 of 2 figures worse by more than 20%: lookup\.range\.1000000\.time \+30\.0%\n$/,
    );
  });

  it.each([
    ['40', 0.3],
    ['20', -0.3],
    // Chance may do as much.
    ['0', 0.001],
  ])('of %s percent lets a change by %s pass', async (percent, longer) => {
    const { status, now } = await compared(percent, longer);
    expect(status).toBe(0);
    expect(now.stdout.text).toMatch(
      new RegExp(
        `\\nPASSED: none of 2 figures is worse by more than ${percent}%; 1 of them could not be tested\\n$`,
      ),
    );
  });

  it('is a check of the document, and told where there is no table', async () => {
    const { status, now } = await compared('20', 0.3, '--format', 'json');
    expect(status).toBe(1);
    const { ok, checks } = JSON.parse(now.stdout.text);
    expect(ok).toBe(false);
    expect(checks.at(-1)).toMatchObject({ name: 'no figure worse by more than 20%', ok: false });
    expect(now.stderr.text).toContain('svmsim: 1 of 2 figures worse by more than 20%: lookup.range');
  });

  it('says at the start that three samples are too few to test', async () => {
    const { now, status } = await compared('20', 0.3, '--samples', '3');
    expect(now.stderr.text).toMatch(
      /^svmsim: note: --samples 3 are too few to tell a change .* 4 are needed/,
    );
    expect(status).toBe(1);
    const enough = await compared('20', 0.3, '--samples', '4');
    expect(enough.now.stderr.text).not.toContain('note:');
  });
});

describe('a threshold with * of bench', () => {
  it('does not hold where one of its figures was not measured', async () => {
    const options = ['--devices', '1', '--clock', 'wall', '--threshold', 'access.*.1.rate>1'];
    expect(await runCli(['bench', 'access', ...options], host)).toBe(1);
    expect(host.stdout.text).toContain(
      'BROKEN  access.*.1.rate>1: not measured, access.tlb-vram.1.rate and 2 more\n',
    );
  });
});

describe('the clocks of bench', () => {
  it.each([
    [[], { wall: true, simulated: true }],
    [['--clock', 'wall'], { wall: true, simulated: false }],
    [['--executor', 'virtual'], { wall: false, simulated: true }],
    [['--executor', 'virtual', '--clock', 'both'], { wall: true, simulated: true }],
  ])('with %j are %j', async (options, clocks) => {
    expect(await runCli(['bench', 'migrate', ...options], host)).toBe(0);
    expect(host.benches[0].clocks).toEqual(clocks);
  });
});

it('bench mirror makes as many rounds of its model whatever --samples says', async () => {
  expect(await runCli(['bench', 'mirror', '--samples', '21'], host)).toBe(0);
  expect(await runCli(['bench', 'mirror', '--samples', '5'], host)).toBe(0);
  const [many, few] = host.mirrors;
  expect([many.samples, few.samples]).toEqual([21, 5]);
  expect(many.rounds).toBe(few.rounds);
});

describe('bench fault', () => {
  it('measures each kind, range and number under way, beside the kernel of the machine', async () => {
    expect(await runCli(['bench', 'fault'], host)).toBe(0);
    const { variants, kernelProgram } = host.faults[0];
    expect(variants).toHaveLength(27);
    expect(kernelProgram).toMatch(/config\/bench\/minorFaults\.c$/);
    expect(host.stdout.text).toMatch(/present +4KiB +64 +100,000 +/);
    expect(host.stdout.text).toContain("Minor faults of this machine's kernel, 4KiB, one thread: 200,000/s");
    expect(host.stdout.text).toContain('present.4KiB.64: 0.50 of it');
  });

  it('takes lists, and a threshold on a figure', async () => {
    const lists = ['--ranges', '4KiB', '--outstanding', '64'];
    const limit = ['--threshold', 'fault.present.4KiB.64.rate>=100k/s'];
    expect(await runCli(['bench', 'fault', ...lists, ...limit], host)).toBe(0);
    expect(host.faults[0].variants).toHaveLength(3);
    const tooMuch = ['bench', 'fault', ...lists, '--threshold', 'fault.present.4KiB.64.rate>100k/s'];
    expect(await runCli(tooMuch, host)).toBe(1);
  });
});

describe('bench invalidate', () => {
  it('measures each event, span and number of devices', async () => {
    expect(await runCli(['bench', 'invalidate'], host)).toBe(0);
    expect(host.invalidations[0].variants).toHaveLength(16);
    expect(host.stdout.text).toMatch(
      /protect +64KiB +8 +most +- +100us +110us +150us +190us +200us +1,080 .* 400\n/,
    );
  });

  it('takes lists of events, rates, overlaps and devices', async () => {
    const options = [
      '--events',
      'unmap',
      '--rates',
      '100,most',
      '--overlaps',
      'none,50',
      '--devices',
      '1,64',
    ];
    expect(await runCli(['bench', 'invalidate', '--sizes', '4KiB', ...options], host)).toBe(0);
    const { variants } = host.invalidations[0];
    expect(variants.map(({ devices, rate, overlap }) => [devices, rate, overlap])).toEqual(
      [1, 64].flatMap((devices) =>
        [100, 0].flatMap((rate) => [null, 50].map((overlap) => [devices, rate, overlap])),
      ),
    );
  });

  it.each([
    [['--events', 'munmap'], 'protect, unmap, discard, migrate'],
    [['--rates', 'fast'], 'most, or whole numbers'],
    [['--overlaps', '101'], 'percentages from 0 to 100'],
    [['--devices', '65'], 'whole numbers from 1 to 64'],
    [['--sizes', '4MiB'], 'at most 2MiB'],
  ])('refuses %j', async (options, message) => {
    expect(await runCli(['bench', 'invalidate', ...options], host)).toBe(2);
    expect(host.stderr.text).toContain(message);
  });
});

describe('bench access and bench engine', () => {
  it('say what one device and the engine do in a second', async () => {
    expect(await runCli(['bench', 'access', 'engine'], host)).toBe(0);
    expect(host.accesses[0].variants).toHaveLength(8);
    expect(host.engines[0].executors).toEqual(['virtual', 'threads']);
    expect(host.stdout.text).toMatch(/in the TLB +1 +40,000,000 /);
    expect(host.stdout.text).toMatch(/virtual +steps +4,000,000 /);
  });
});

describe('bench mirror', () => {
  it('compares layouts at 1 to 16 devices, and prints what each takes', async () => {
    expect(await runCli(['bench', 'mirror'], host)).toBe(0);
    expect(host.mirrors[0]).toMatchObject({ deviceCounts: [1, 2, 4, 8, 16], rounds: 9 });
    expect(host.loaded[0].path).toMatch(/config\/bench-mirror\.yaml$/);
    expect(host.stdout.text).toMatch(/8 +n1-shared-fault +64 +1,024 +2 +64 +2 +8,192 +0/);
  });

  it('takes --devices as the only number, and a list of them', async () => {
    expect(await runCli(['bench', 'mirror', '--devices', '4'], host)).toBe(0);
    expect(await runCli(['bench', 'mirror', '--device-counts', '2,3'], host)).toBe(0);
    expect(host.mirrors.map(({ deviceCounts }) => deviceCounts)).toEqual([[4], [2, 3]]);
  });

  it('has a document with the figures', async () => {
    expect(await runCli(['bench', 'mirror', '--json', '-'], host)).toBe(0);
    const times = { firstAccessNs: 1000, invalidateNs: 200, againNs: 900 };
    expect(JSON.parse(host.stdout.text).results).toEqual([{ ...mirrorCell(), simulated: times }]);
  });

  it('fails when a load was wrong', async () => {
    host.mirror = async ({ onCell }) => onCell?.(mirrorCell({ verified: false }));
    expect(await runCli(['bench', 'mirror'], host)).toBe(1);
  });

  it.each(['', '0', '8,4', '65', 'two'])('refuses --device-counts %s', async (counts) => {
    expect(await runCli(['bench', 'mirror', '--device-counts', counts], host)).toBe(2);
    expect(host.stderr.text).toContain('ascending whole numbers from 1 to 64');
  });
});

describe('bench lookup', () => {
  it('measures up to a million entries and prints a row for each', async () => {
    expect(await runCli(['bench', 'lookup'], host)).toBe(0);
    expect(host.lookups[0]).toMatchObject({ entries: [1000, 10_000, 100_000, 1_000_000], samples: 9 });
    expect(host.stdout.text).toMatch(/range +1,000,000 +200ns +190ns +240ns +2\.00/);
    expect(host.stdout.text).toMatch(/\nPASSED: every look-up found its entry in 1 measurement\n$/);
  });

  it('has a document with the figures', async () => {
    expect(await runCli(['bench', 'lookup', '--json', '-'], host)).toBe(0);
    const { results } = JSON.parse(host.stdout.text);
    const wall = { nsPerLookup: 200, minNs: 190, maxNs: 240, samples: 3, warmups: 9, steady: true };
    const { name, entries, verified } = lookupCell();
    expect(results).toEqual([{ name, entries, wall, wallRatio: 2, verified }]);
  });

  it('fails when a look-up found another entry', async () => {
    host.lookup = async ({ onCell }) => onCell?.(lookupCell({ verified: false }));
    expect(await runCli(['bench', 'lookup'], host)).toBe(1);
  });

  it('refuses policies, which nothing asks here', async () => {
    expect(await runCli(['bench', 'lookup', '--policy', 'mine.mjs'], host)).toBe(2);
    expect(host.stderr.text).toContain(
      'bench lookup: found --policy, allowed: options of lookup (--policy is an option of ',
    );
  });

  it.each(['', '0', '10,5', '5,5', '1e3', '1,,2', '20000000'])('refuses --entries %s', async (entries) => {
    expect(await runCli(['bench', 'lookup', '--entries', entries], host)).toBe(2);
    expect(host.stderr.text).toContain('ascending whole numbers from 1 to 10000000');
  });
});

describe('bench migrate', () => {
  it('measures the default sizes on the default machine', async () => {
    expect(await runCli(['bench', 'migrate'], host)).toBe(0);
    expect(host.loaded[0].path).toMatch(/config\/bench-migrate\.yaml$/);
    const { variants, samples } = host.benches[0];
    expect(samples).toBe(9);
    expect([...new Set(variants.map(({ test }) => test))]).toEqual([
      'host_to_device',
      'device_to_host',
      'device_to_device_peer',
      'device_to_device_bounce',
    ]);
    expect([...new Set(variants.map(({ sizeBytes }) => sizeBytes))]).toEqual([4096, 65_536, 2 ** 21]);
    expect(variants.every(({ sizeBytes, rangeBytes, storm }) => rangeBytes === sizeBytes && !storm)).toBe(
      true,
    );
    // Each by itself and together, but for what fills a block.
    const kinds = variants.map(({ rangeBytes, joined }) => `${rangeBytes} ${joined}`);
    expect([...new Set(kinds)]).toEqual([
      '4096 false',
      '4096 true',
      '65536 false',
      '65536 true',
      '2097152 false',
    ]);
    expect(host.stdout.text).toContain('host_to_device.2MiB, source (row)');
    expect(host.stdout.text).toMatch(/\nPASSED: every byte arrived in 1 test\n$/);
    expect(host.stderr.text).toBe('');
  });

  it('takes sizes in any order, each once, and a scenario', async () => {
    const options = ['--sizes', '64KiB, 4096,16pages', '--samples', '3', '--scenario', 'stress'];
    expect(await runCli(['bench', 'migrate', ...options], host)).toBe(0);
    expect(host.benches[0].samples).toBe(3);
    expect([...new Set(host.benches[0].variants.map(({ sizeBytes }) => sizeBytes))]).toEqual([4096, 65_536]);
    expect(host.loaded[0].path).toMatch(/config\/stress\.yaml$/);
  });

  it('has one document with a result for each cell', async () => {
    host.bench = async ({ onCell }) => {
      onCell?.(migrateCell());
      const flow = migrateFlow({ path: 'vram-to-ram', source: 'gpu0', destination: 'ram' });
      onCell?.(migrateCell({ test: 'device_to_host', flows: [flow] }));
    };
    expect(await runCli(['bench', 'migrate', '--json', '-'], host)).toBe(0);
    const document = JSON.parse(host.stdout.text);
    expect(document).toMatchObject({ command: 'bench', ok: true, checks: [{ name: 'content', ok: true }] });
    expect(document.results.map(({ path }: { path: string }) => path)).toEqual([
      'ram-to-vram',
      'vram-to-ram',
    ]);
    expect(document.statuses).toMatchObject([
      { benchmark: 'migrate', name: 'host_to_device.2MiB', status: 'Passed' },
      { name: 'device_to_host.2MiB' },
    ]);
  });

  it('measures tests by name, with ranges of several sizes, with and without a storm', async () => {
    const options = ['--tests', 'all_to_all,local', '--sizes', '64KiB', '--ranges', '4KiB,2MiB', '--storm'];
    expect(await runCli(['bench', 'migrate', ...options, '--join', 'off'], host)).toBe(0);
    const { variants } = host.benches[0];
    expect(variants.every(({ joined }) => !joined)).toBe(true);
    expect(variants.map(({ test, rangeBytes, storm }) => [test, rangeBytes, storm])).toEqual(
      ['all_to_all', 'local'].flatMap((test) =>
        [4096, 65_536].flatMap((rangeBytes) => [false, true].map((storm) => [test, rangeBytes, storm])),
      ),
    );
  });

  it('measures all tests when told to; what a device copies itself does not migrate, together or not', async () => {
    const options = ['--tests', 'all', '--sizes', '4KiB', '--storm', 'on', '--join'];
    expect(await runCli(['bench', 'migrate', ...options], host)).toBe(0);
    const { variants } = host.benches[0];
    expect(variants).toHaveLength(14);
    expect(variants.every(({ storm }) => storm)).toBe(true);
    expect(variants.every(({ test, joined }) => joined === (test !== 'local'))).toBe(true);
  });

  it('fails when a byte did not arrive', async () => {
    host.bench = async ({ onCell }) => onCell?.(migrateCell({ verified: false }));
    expect(await runCli(['bench', 'migrate'], host)).toBe(1);
  });

  it.each([
    ['ends early with what it has', false],
    ['rejects', true],
  ])('keeps the cells that were done when the interrupted benchmark %s', async (_, rejects) => {
    host.bench = async ({ onCell }) => {
      onCell?.(migrateCell());
      host.interrupt();
      if (rejects) throw abortError();
    };
    expect(await runCli(['bench', 'migrate', '--json', '-'], host)).toBe(130);
    expect(JSON.parse(host.stdout.text)).toMatchObject({ ok: true, partial: true, results: [{}] });
  });

  it('does not take an error for an interrupt', async () => {
    host.bench = async () => {
      host.interrupt();
      throw new Error('lost');
    };
    expect(await runCli(['bench', 'migrate'], host)).toBe(3);
  });

  it.each([
    [['--sizes', '5000'], '--sizes: found 5000'],
    [['--sizes', '12KiB'], 'each a power of two from 4KiB'],
    [['--sizes', '4KiB,'], '--sizes: found 4KiB,'],
    [['--sizes', '8GiB'], '--sizes: found 8GiB'],
    [['--tests', 'host_to_devise'], 'did you mean host_to_device?'],
    [['--storm', 'maybe'], 'off, on, both'],
    [['--join', 'maybe'], 'off, on, both'],
    [['--ranges', '4MiB'], 'at most 2MiB'],
    [['--samples', '2'], 'a whole number from 3'],
    [['--samples', '3.5'], 'a whole number from 3'],
  ])('refuses %j', async (options, message) => {
    expect(await runCli(['bench', 'migrate', ...options], host)).toBe(2);
    expect(host.stderr.text).toContain(message);
    expect(host.benches).toEqual([]);
  });

  it('refuses a size that fits into no device, or not into RAM', async () => {
    expect(await runCli(['bench', 'migrate', '--sizes', '128MiB'], host)).toBe(2);
    expect(host.stderr.text).toContain('found 128MiB, allowed: at most 64MiB, the VRAM of a device');
    const small = new FakeHost();
    small.config = simulationConfig({ ramPages: 256 });
    expect(await runCli(['bench', 'migrate', '--sizes', '2MiB'], small)).toBe(2);
    expect(small.stderr.text).toContain('at most 1MiB, the RAM');
  });

  it('shows each cell on a terminal', async () => {
    host.stderr.isTTY = true;
    await runCli(['bench', 'migrate'], host);
    expect(host.stderr.text).toContain('\r1 cell measured, last host_to_device.2MiB Passed 4GB/s (wall)');
    expect(host.stderr.text.endsWith('\r\x1b[K')).toBe(true);
  });
});

describe('bench calibrate', () => {
  it('measures the presets that stand behind it, with their claims', async () => {
    expect(await runCli(['bench', 'calibrate', 'xe-bmg', 'uvm-pcie3'], host)).toBe(0);
    const [{ machines }] = host.calibrations;
    expect(machines.map(({ preset }) => preset)).toEqual(['xe-bmg', 'uvm-pcie3']);
    expect(machines[0].cost).toMatchObject({ preset: 'xe-bmg', copySetupNs: 35_000, syscallNs: 200 });
    expect(machines[1].device).toEqual({ copyEngines: 2, faultBatch: 256, faultBufferEntries: 256 });
    expect(machines[0].claims).toContainEqual({
      figure: 'xe-copy-2m',
      fitted: ['host-link'],
      notMet: null,
    });
    expect(machines[0].claims).toContainEqual({ figure: 'xe-prefetch-5-threads', fitted: [], notMet: null });
    expect(host.stdout.text).toMatch(/ cost 2 presets, [0-9a-f]{12} \(/);
  });

  it('measures all that claim something unless some are named', async () => {
    expect(await runCli(['bench', 'calibrate'], host)).toBe(0);
    const presets = host.calibrations[0].machines.map(({ preset }) => preset);
    expect(presets).toContain('v100-nvlink2');
    expect(presets).not.toContain('plain');
  });

  it('says what was published, what the model gives and how far apart they are', async () => {
    expect(await runCli(['bench', 'calibrate', 'xe-bmg'], host)).toBe(0);
    expect(host.stdout.text).toMatch(/^calibrate: .* cost xe-bmg \(/m);
    expect(host.stdout.text).toMatch(/^Preset xe-bmg$/m);
    expect(host.stdout.text).toMatch(/xe-copy-2m .* 16GB\/s +16\.6GB\/s +\+4\.0% +fitted: host-link +met$/m);
    expect(host.stdout.text).toMatch(/^Source: intel-xe mailing list/m);
  });

  it('fails where a claim is missed, and says which; what the preset explains is no failure', async () => {
    host.calibrate = async ({ onCell }) =>
      onCell?.(calibrateCell({ model: 20, residual: 0.25, status: 'missed' }));
    expect(await runCli(['bench', 'calibrate', 'xe-bmg'], host)).toBe(1);
    expect(host.stdout.text).toContain('1 claimed figure missed by more than 15 %: xe-bmg.xe-copy-2m');
    host = new FakeHost();
    const notMet = 'another card';
    host.calibrate = async ({ onCell }) =>
      onCell?.(calibrateCell({ model: 20, residual: 0.25, status: 'explained', notMet }));
    expect(await runCli(['bench', 'calibrate', 'xe-bmg'], host)).toBe(0);
    expect(host.stdout.text).toContain('xe-copy-2m: another card');
  });

  it.each([
    [['bench', 'calibrate', 'xe-bgm'], 'did you mean xe-bmg?'],
    [['bench', 'calibrate', 'plain'], 'plain, which claims no figure'],
    [['bench', 'migrate', 'xe-bmg'], 'allowed: a benchmark: migrate'],
  ])('%j is refused', async (line, message) => {
    expect(await runCli(line, host)).toBe(2);
    expect(host.stderr.text).toContain(message);
  });
});
