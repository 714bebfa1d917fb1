/** The settings that runs are compared by: whatever decides a run shows in them. */

import { describe, expect, it } from 'vitest';
import { configurationOf, policyText } from '../../src/report/configuration.js';
import type { SimulationConfig } from '../../src/simulation/simulationConfig.js';
import { simulationConfig } from './fixtures.js';

const config = simulationConfig();
const plain = configurationOf(config);

function differing(changed: Partial<SimulationConfig>): string[] {
  const other = configurationOf({ ...config, ...changed });
  const keys = new Set([...Object.keys(plain), ...Object.keys(other)]);
  return [...keys].filter((key) => JSON.stringify(plain[key]) !== JSON.stringify(other[key]));
}

describe('configurationOf', () => {
  it('shows each setting that decides a run', () => {
    expect(differing({})).toEqual([]);
    expect(differing({ svm: { ...config.svm, timesliceUs: 77 } })).toEqual(['timesliceUs']);
    expect(differing({ svm: { ...config.svm, prefetchPages: 16 } })).toEqual(['prefetchBytes']);
    expect(differing({ svm: { ...config.svm, togetherPages: 512 } })).toEqual(['prefetchTogetherBytes']);
    expect(differing({ device: { ...config.device, tlbEntries: 2 } })).toEqual(['tlbEntries']);
    expect(differing({ thp: 'always' })).toEqual(['thp']);
    expect(differing({ cost: { ...config.cost, migratePageNs: 1 } })).toEqual(['costHash']);
    const saxpy = { kind: 'saxpy', name: 'other', elements: 5, rounds: 1 } as const;
    expect(differing({ workloads: [saxpy] })).toEqual(['workloads']);
  });

  it('names the module of the user', () => {
    const policy = { hash: '0123456789ab', names: ['mine'] };
    const own = { ...config, policyFile: '/somewhere/p.mjs', policy };
    expect(policyText(config)).toBeNull();
    expect(policyText(own)).toBe('p.mjs (mine), 0123456789ab');
    expect(configurationOf(own).policy).toBe('p.mjs (mine), 0123456789ab');
  });

  it('is plain values, and lists of them', () => {
    const links = [[0, 1]] as const;
    const linked = configurationOf({ ...config, svm: { ...config.svm, interconnect: links } });
    expect(linked.interconnect).toEqual(['gpu0-gpu1']);
    for (const value of Object.values(linked).flat())
      expect(typeof value === 'object' && value !== null).toBe(false);
  });
});
