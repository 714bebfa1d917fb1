/** Counts, lists and claims of the documents are those of the sources. */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { allCheckers } from '../../src/check/online/allCheckers.js';
import { benchmarks } from '../../src/cli/bench/benchmarks.js';
import { Histogram } from '../../src/observe/histogram.js';
import { residualText, valueText } from '../../src/report/bench/calibrate.js';
import { loadScenario, scenarioFromText } from '../../src/scenario/loadScenario.js';
import { loadClasses } from '../../src/scenario/placedLoads.js';
import { loadPreset, presetNames } from '../../src/scenario/presets.js';
import { calibrate } from '../../src/simulation/calibrate/calibrate.js';
import { kernelMap, kernelTags } from '../../tools/kernelMap.js';
import { tempFolder } from '../tempFolder.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

const folder = tempFolder();

function page(name: string): string {
  return readFileSync(join(root, name), 'utf8');
}

describe('checkers', () => {
  it('are each a row of their page', () => {
    const rows = [...page('docs/checkers.md').matchAll(/^\| ([A-Z]\d+) \|/gm)].map(([, id]) => id);
    expect(rows.toSorted()).toEqual(allCheckers.map(({ id }) => id).toSorted());
  });

  it('are counted where results are explained: three by name, and the others', () => {
    const [, more] = /\(L1\), and (\d+) more/.exec(page('docs/verification.md')) ?? [];
    expect(Number(more)).toBe(allCheckers.length - 3);
  });
});

describe('benchmarks', () => {
  it.each(benchmarks.map(({ name, takes }) => ({ name, takes })))(
    '$name has all of its options in the table',
    ({ name, takes }) => {
      const row = page('docs/benchmarks.md')
        .split('\n')
        .find((line) => line.startsWith(`| \`${name}\``));
      // What several take is said below the table.
      const own = takes.filter((option) => option !== 'clock');
      const flags = own.map((option) => `\`--${option.replace(/[A-Z]/g, (at) => `-${at.toLowerCase()}`)}\``);
      expect(flags.filter((flag) => row?.includes(flag) !== true)).toEqual([]);
    },
  );
});

it('percentiles are as far above the exact value as their pages say', () => {
  const errors = Array.from({ length: 5000 }, (_, i) => {
    const histogram = Histogram.create();
    const ns = i + 1;
    histogram.record(ns);
    // The largest bounds what is told.
    histogram.record(1e6);
    return histogram.percentile(0.5) / ns - 1;
  });
  const worst = Math.max(...errors);
  expect(worst).toBeLessThan(1 / 32);
  expect(worst).toBeGreaterThan(1 / 33);
  for (const name of ['benchmarks', 'json', 'stress', 'reports'])
    expect([name, page(`docs/${name}.md`).includes('1/32')]).toEqual([name, true]);
});

it('the page of stress has a row for each load', () => {
  const rows = [...page('docs/stress.md').matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, load]) => load);
  expect(rows).toEqual([...loadClasses]);
});

it('devices of the scenario that init writes have less memory than its work needs', () => {
  const path = join(root, 'config/templates/scenario.yaml');
  const { device, workloads } = scenarioFromText(path, page('config/templates/scenario.yaml'));
  const shared = workloads.flatMap((workload) => (workload.kind === 'pattern' ? [workload.pages] : []));
  expect(device.vramPages).toBeLessThan(Math.max(...shared));
});

it.each([
  ['drm_gpuva_find_next', 'structure'],
  ['drm_gpusvm_ops.range_alloc', 'drm_gpusvm-and-drm_pagemap'],
  ['drm_gpusvm_ops.notifier_alloc', 'drm_gpusvm-and-drm_pagemap'],
  ['drm_pagemap_migrate_to_devmem', 'drm_gpusvm-and-drm_pagemap'],
])('the map of kernel names leads from %s to where it deviates', (name, section) => {
  const row = kernelMap(root)
    .split('\n')
    .find((line) => line.startsWith(`| \`${name}\``));
  expect(row).toContain(`deviations.md#${section}`);
});

it('everything of DRM that the map names says what it is', () => {
  const silent = kernelTags(root).filter(
    ({ file, sentence }) => file.startsWith('src/drm/') && sentence === '',
  );
  expect(silent.map(({ symbol, name }) => `${symbol} ${name}`)).toEqual([]);
});

it('what a constructor mirrors is told by the comment of its class where it has none', () => {
  mkdirSync(join(folder, 'src'));
  const lines = [
    '/** A thing. */',
    'export class Thing {',
    '  /** @kernel thing_init */',
    '  constructor() {}',
    '}',
  ];
  writeFileSync(join(folder, 'src/thing.ts'), lines.join('\n'));
  expect(kernelTags(folder)).toMatchObject([{ name: 'thing_init', sentence: 'A thing.' }]);
});

describe('figures that the model predicts', () => {
  it('are all in the table of their page, as the model gives them', async () => {
    const rows = [
      ...page('docs/cost-model.md').matchAll(/^\| `(\S+)` \| `(\S+)` \| (\S+) \| (\S+) \| (\S+) \|$/gm),
    ];
    const predicted = await Promise.all(
      presetNames().map(async (preset) => {
        const claims = loadPreset(preset, '.').claims.filter(({ fitted }) => fitted.length === 0);
        const residuals = await calibrate(loadScenario('config/calibrate.yaml', { preset }), claims);
        return residuals
          .filter(({ basis }) => basis === 'predicted')
          .map((one) => [
            one.figure,
            preset,
            `${one.about.published}${one.about.unit}`,
            valueText(one),
            residualText(one),
          ]);
      }),
    );
    expect(rows.map((row) => row.slice(1, 6)).toSorted()).toEqual(predicted.flat().toSorted());
  });

  it('with other copy engines than the preset has are given with the preset’s own, too', async () => {
    const words = page('docs/cost-model.md').replaceAll('\n', ' ');
    const [, most, own, residual] =
      /gives (\S+) \(189\.13 published\), with its own two (\S+), (\S+%);/.exec(words) ?? [];
    const claims = loadPreset('pcie5-switches', '.').claims.filter(
      ({ figure }) => figure === 'p2pmark-dense',
    );
    const machine = loadScenario('config/calibrate.yaml', { preset: 'pcie5-switches' });
    const [dense] = await calibrate(machine, claims);
    expect([most, own, residual]).toEqual([
      valueText(dense),
      valueText({ ...dense, model: dense.ownEngines?.model ?? null }),
      residualText({ residual: dense.ownEngines?.residual ?? null }),
    ]);
  });
});
