/** The machine of an exploration: small, but with room for what the scenario maps. */

import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { PMD_PAGES } from '../../src/base/units.js';
import { smallMachine } from '../../src/explore/smallMachine.js';
import { loadScenario } from '../../src/scenario/loadScenario.js';
import type { SvmConfig } from '../../src/simulation/simulationConfig.js';

function machineOf(scenario: string) {
  const path = fileURLToPath(new URL(`../../config/${scenario}.yaml`, import.meta.url));
  const config = loadScenario(path, {});
  return { config, small: smallMachine(config) };
}

describe('a small machine', () => {
  it('has page tables for all RAM that a scenario may map', () => {
    const { config, small } = machineOf('n1-mirror');
    expect(small.machine?.tables).toBeGreaterThan(config.ramPages / PMD_PAGES);
  });

  it('stays small for a scenario of a few pages, whose tables are made anew for each run', () => {
    expect(machineOf('explore-share').small.machine?.tables).toBeLessThanOrEqual(32);
  });

  it('keeps pages with a device for as long as a few hundred steps, as a longer timeslice would be all that a run consists of', () => {
    const { config } = machineOf('explore-race');
    const kept = (changed: Partial<SvmConfig>) =>
      smallMachine({ ...config, svm: { ...config.svm, ...changed } }).svm;
    expect(kept({})).toMatchObject({ timesliceUs: 0, atomicTimesliceNs: 50_000 });
    const short = { timesliceUs: 20, atomicTimesliceNs: 1000 };
    expect(kept(short)).toMatchObject(short);
    const long = { timesliceUs: 5000, atomicTimesliceNs: 5_000_000 };
    expect(kept(long)).toMatchObject({ timesliceUs: 50, atomicTimesliceNs: 50_000 });
  });

  it('models no time', () => {
    const { small } = machineOf('n1-mirror');
    expect([small.cost.syscallNs, small.cost.gpuFaultNs, small.cost.migratePageNs]).toEqual([0, 0, 0]);
  });
});
