/** Presets against what was published: the experiments, and that every claim holds or is explained. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { loadScenario } from '../../../src/scenario/loadScenario.js';
import { loadPreset, presetNames } from '../../../src/scenario/presets.js';
import { calibrate, RESIDUAL_MAX } from '../../../src/simulation/calibrate/calibrate.js';
import { type FigureName, figureOf } from '../../../src/simulation/calibrate/figures.js';
import { runExperiment } from '../../../src/simulation/calibrate/runExperiment.js';
import type { SimulationConfig } from '../../../src/simulation/simulationConfig.js';

function machine(preset: string, set: readonly string[] = []): SimulationConfig {
  return loadScenario('config/calibrate.yaml', { preset, set });
}

const claiming = presetNames().filter((name) => loadPreset(name, '.').claims.length > 0);

describe('a preset that comes with svmsim', () => {
  it.each(claiming)(
    '%s is within 15 percent of every figure that it claims, or says why not',
    async (preset) => {
      const residuals = await calibrate(machine(preset), loadPreset(preset, '.').claims);
      for (const { figure, residual, status, notMet } of residuals) {
        expect(status, `${figure} ${residual}`).not.toBe('missed');
        // An excuse for what is met would hide that the model has become better.
        if (notMet !== null) expect(status, figure).toBe('explained');
        else expect(Math.abs(residual ?? Number.NaN), figure).toBeLessThanOrEqual(RESIDUAL_MAX);
      }
    },
  );
});

/** A number of another size for each that some figure is said to have fitted. */
const others: Readonly<Record<string, string>> = {
  peers: 'cost.peers=pcie',
  'devices-per-switch': 'cost.devices-per-switch=1',
  'host-link': 'cost.host-link=3GB/s',
  'host-duplex': 'cost.host-duplex=3GB/s',
  'peer-link': 'cost.peer-link=3GB/s',
  'link-latency': 'cost.link-latency=50us',
  'copy-setup': 'cost.copy-setup=300us',
  'gpu-fault': 'cost.gpu-fault=1ms',
  'migrate-page': 'cost.migrate-page=9us',
  'hmm-page': 'cost.hmm-page=9us',
  'fault-migrate': 'cost.fault-migrate=1ms',
  'copy-engines': 'devices.copy-engines=1',
};

const fittings = claiming.flatMap((preset) =>
  loadPreset(preset, '.').claims.flatMap((claim) =>
    claim.fitted.map((number) => ({ preset, figure: claim.figure, number })),
  ),
);

const models = new Map<string, Promise<number>>();

/** Each once: an experiment may be a run of some seconds. */
function modelOf(preset: string, figure: FigureName, set: readonly string[] = []): Promise<number> {
  const { experiment } = figureOf(figure);
  if (experiment === null) throw new Error(`${figure} was fitted without an experiment`);
  const key = [preset, figure, ...set].join(' ');
  const model = models.get(key) ?? runExperiment(machine(preset, set), experiment);
  models.set(key, model);
  return model;
}

const sourcesSchema = z.record(z.string(), z.object({ source: z.string() })).default({});
const fileSchema = z.object({ numbers: sourcesSchema, devices: sourcesSchema });

/** Sources by the key of the number, of the preset's own file. */
function ownSources(preset: string): [string, string][] {
  const { numbers, devices } = fileSchema.parse(parse(readFileSync(`config/presets/${preset}.yaml`, 'utf8')));
  return Object.entries({ ...numbers, ...devices }).map(([number, { source }]) => [number, source]);
}

describe('the file of a preset', () => {
  it.each(presetNames())('%s gives no rate to links that its wiring does not have', (preset) => {
    const own = ownSources(preset).map(([number]) => number);
    if (loadPreset(preset, '.').numbers.peers === 'pcie') expect(own).not.toContain('peer-link');
  });
});

it('a copy between cards without links of their own takes the links to the host, whatever peer-link is', async () => {
  const slow = await modelOf('pcie5-switches', 'p2pmark-pair', ['cost.peer-link=1GB/s']);
  expect(slow).toBe(await modelOf('pcie5-switches', 'p2pmark-pair'));
});

describe('a claim', () => {
  it.each(fittings)('$preset: $figure moves with $number, which was fitted to it', async (fitting) => {
    const { preset, figure, number } = fitting;
    const before = await modelOf(preset, figure);
    const after = await modelOf(preset, figure, [others[number]]);
    expect(Math.abs(after / before - 1)).toBeGreaterThan(0.05);
  });

  it.each(claiming)('of %s names as fitted each number whose source has its figure', (preset) => {
    for (const { figure, fitted, notMet } of loadPreset(preset, '.').claims) {
      const { published, unit } = figureOf(figure);
      const amount = new RegExp(`(?<![\\d.])${published} ?${unit}`);
      const read = ownSources(preset).filter(([, source]) => amount.test(source.replaceAll(' percent', '%')));
      if (notMet === null)
        expect(fitted, figure).toEqual(expect.arrayContaining(read.map(([number]) => number)));
    }
  });

  // With a buffer of another size than the measured one, latency would be a share of the difference.
  it.each([
    ['a100-nvswitch', 'nvbandwidth-h2d'],
    ['a100-nvswitch', 'nvbandwidth-h2d-bidirectional'],
    ['a100-nvswitch', 'nvbandwidth-d2d'],
    ['v100-nvlink2', 'v100-pair'],
    ['p100-nvlink', 'p100-one-link'],
    ['pcie5-switches', 'p2pmark-pair'],
    ['mi300x-xgmi', 'mi300x-link'],
  ] as const)('of %s gives %s back, to which one rate was fitted', async (preset, figure) => {
    const { published } = figureOf(figure);
    expect(Math.abs((await modelOf(preset, figure)) / published - 1)).toBeLessThan(0.001);
  });

  it('of a higher governor is derived by what its source says, since no number brings the model there', async () => {
    const { numbers, sources } = loadPreset('xe-bmg-slpc', '.');
    const { published } = figureOf('xe-prefetch-high-slpc');
    expect(sources['copy-setup']).toContain('derived');
    const derivedNs = 2 ** 21 / published - 130_000;
    expect(Math.abs(Number(numbers['copy-setup']) - derivedNs)).toBeLessThan(100);
    const atMost = await modelOf('xe-bmg-slpc', 'xe-prefetch-high-slpc', ['cost.copy-setup=0']);
    expect(atMost).toBeLessThan(0.99 * published);
  });

  it('is fitted where a number was chosen by it, and else predicted; nothing where the model has nothing', async () => {
    const claim = { figure: 'p100-one-link', fitted: [], notMet: null } as const;
    const residuals = await calibrate(machine('p100-nvlink'), [
      { ...claim, fitted: ['peer-link'] },
      claim,
      { ...claim, figure: 'p2pmark-latency', notMet: 'no such access' },
    ]);
    expect(residuals.map(({ basis }) => basis)).toEqual(['fitted', 'predicted', null]);
  });
});

describe('an experiment', () => {
  it('gives the same for the same seed, and something else for another where times are drawn', async () => {
    const fault = { kind: 'fault', rangeBytes: 4096, hugePages: false, measure: 'answer' } as const;
    const base = machine('uvm-pcie3');
    const once = await runExperiment(base, fault);
    expect(await runExperiment(base, fault)).toBe(once);
    expect(await runExperiment({ ...base, seed: 2 }, fault)).not.toBe(once);
  });

  it('of copies counts what the links give, and the submission only where it is asked for', async () => {
    const copy = { kind: 'copies', moves: [{ from: 'ram', to: 0, bytes: 2 ** 20 }], measure: 'us' } as const;
    const slow = machine('plain', ['cost.copy-setup=50us']);
    const alone = await runExperiment(slow, { ...copy, countsSetup: false });
    expect(alone).toBeCloseTo(1.4 + 2 ** 20 / 26_000, 1);
    expect(await runExperiment(slow, { ...copy, countsSetup: true })).toBeCloseTo(alone + 50, 3);
  });

  it('of a large copy goes over the same pages again, and takes as long as that many bytes', async () => {
    const bytes = 512 * 2 ** 20;
    const copy = { kind: 'copies', moves: [{ from: 'ram', to: 0, bytes }], measure: 'us' } as const;
    const us = await runExperiment(machine('plain'), { ...copy, countsSetup: false });
    expect(us).toBeCloseTo(1.4 + bytes / 26_000, 1);
  });

  it('of faults sees the driver’s own time by the way of a fault', async () => {
    const fault = { kind: 'fault', rangeBytes: 2 ** 21, hugePages: true, measure: 'service' } as const;
    const before = await runExperiment(machine('plain'), fault);
    const after = await runExperiment(
      machine('plain', ['cost.fault-migrate=70us', 'cost.fault-present=1ms']),
      fault,
    );
    expect(after - before).toBeCloseTo(70, 0);
  });
});

describe('an experiment with copy engines of its own', () => {
  it('says what those of the machine would give, unless they are as many', async () => {
    const claim = { figure: 'p2pmark-dense', fitted: [], notMet: null } as const;
    const own = async (engines: number) => {
      const base = machine('pcie5-switches', [`devices.copy-engines=${engines}`]);
      const [{ ownEngines, published, model }] = (await calibrate(base, [claim])).map((one) => ({
        ...one,
        published: one.about.published,
      }));
      return { ownEngines, published, model };
    };
    const { ownEngines, published, model } = await own(2);
    expect(ownEngines?.engines).toEqual({ experiment: 7, own: 2 });
    expect(ownEngines?.model).toBeLessThan(0.95 * (model ?? 0));
    expect(ownEngines?.residual).toBeCloseTo((ownEngines?.model ?? 0) / published - 1, 9);
    expect((await own(7)).ownEngines).toBeNull();
  });
});
