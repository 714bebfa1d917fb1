/** The scenario files that ship with svmsim load, and are what their comments say. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseDocument } from 'yaml';
import { loadScenario } from '../../src/scenario/loadScenario.js';
import { memoryNeed } from '../../src/scenario/memoryNeed.js';
import { configDir } from '../../src/scenario/presets.js';
import { DEFAULT_INVALIDATION_CALLS } from '../../src/workload/workloadConfig.js';
import { Scratch } from './scratch.js';

const scratch = new Scratch();
const files = readdirSync(configDir()).filter((file) => file.endsWith('.yaml'));
const load = (name: string) => loadScenario(join(configDir(), `${name}.yaml`));

describe.each(files)('config/%s', (file) => {
  const path = join(configDir(), file);

  it('loads, is named like its file and survives the way to a worker', () => {
    const config = loadScenario(path);
    expect(`${config.name}.yaml`).toBe(file);
    expect(structuredClone(config)).toEqual(config);
  });

  it('means the same when it is read and written again', () => {
    const again = String(parseDocument(readFileSync(path, 'utf8'))).replaceAll(
      'traces/',
      join(configDir(), 'traces/'),
    );
    const { workloads, ...config } = loadScenario(path);
    const { workloads: workloadsAgain, ...configAgain } = loadScenario(scratch.write(file, again));
    expect(configAgain).toEqual(config);
    expect(workloadsAgain.map(({ name }) => name)).toEqual(workloads.map(({ name }) => name));
  });

  it('tells a newcomer about itself', () => {
    const text = readFileSync(path, 'utf8');
    expect(text.startsWith('# ')).toBe(true);
    expect(text).toMatch(/^description: .{20}/m);
  });

  it('fits a machine with 2 GiB', () => {
    expect(memoryNeed(loadScenario(path)).bytes).toBeLessThan(2 * 2 ** 30);
  });
});

describe('the default scenario', () => {
  const config = load('n1-mirror');

  it('has four devices in the N:1 layout and runs until all work is done', () => {
    expect(config).toMatchObject({
      deviceCount: 4,
      executor: 'threads',
      durationMs: Number.POSITIVE_INFINITY,
    });
    expect(config.svm.layout).toBe('n1');
  });

  it('computes, replays a recorded program and invalidates from two threads', () => {
    expect(config.workloads.map(({ kind }) => kind)).toEqual([
      'jacobi',
      'saxpy',
      'trace',
      'invalidate',
      'invalidate',
    ]);
  });

  it('differs from one-to-one in its layout alone', () => {
    const other = load('one-to-one');
    expect({ ...other, name: config.name, svm: { ...other.svm, layout: 'n1' } }).toEqual(config);
  });
});

describe('the stress scenario', () => {
  const config = load('stress');

  it('shares a buffer that no device can hold', () => {
    const shared = config.workloads.find((workload) => workload.kind === 'pattern');
    expect(shared).toMatchObject({ sharing: 'shared', rounds: Number.POSITIVE_INFINITY });
    expect(shared?.pages).toBeGreaterThan(config.device.vramPages);
  });

  it('invalidates by all four calls until its time is over', () => {
    expect(config).toMatchObject({ deviceCount: 8, durationMs: 20_000 });
    const invalidating = config.workloads.filter((workload) => workload.kind === 'invalidate');
    expect(invalidating.map(({ calls }) => calls)).toEqual([
      [...DEFAULT_INVALIDATION_CALLS],
      [...DEFAULT_INVALIDATION_CALLS],
    ]);
  });
});

describe('the migration benchmark', () => {
  it('is two devices and no work of its own', () => {
    const config = load('bench-migrate');
    expect(config).toMatchObject({ deviceCount: 2, workloads: [], svm: { interconnect: 'peer' } });
  });
});
