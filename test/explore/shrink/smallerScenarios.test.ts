/** Scenarios that are a little smaller: whole workloads, devices with all that names them, numbers, switches. */

import { describe, expect, it } from 'vitest';
import { SHRINK_LIMITS } from '../../../src/explore/shrink/shrink.js';
import { smallerSources } from '../../../src/explore/shrink/smallerSources.js';
import { subjectOf } from '../../../src/explore/subject.js';
import type { SimulationConfig } from '../../../src/simulation/simulationConfig.js';
import { foundAndShrunk } from './foundAndShrunk.js';

const small = `
executor: virtual
ram: 256pages
devices:
  count: 3
  vram: 8pages
  contexts: 2
`;

const three = `${small}
svm:
  placement: preferred
  preferred-device: 2
  links: [[0, 1], [1, 2]]
workloads:
  - kind: pattern
    name: first
    pattern: sequential
    size: 4pages
    read-ratio: 0
    accesses: 4
    rounds: 2
  - kind: pattern
    name: second
    size: 2pages
    accesses: 3
    rounds: 1
  - kind: join-leave
    stay: 2
    operations: 3
invalidation:
  size: 4pages
  calls: [munmap, mprotect]
  span: 4pages
  operations: 3
  accesses: 2
events:
  - kind: prefetch
    at: 1us
    device: 2
    workload: first
`;

function scenario(text: string, set: readonly string[] = []) {
  return { kind: 'scenario', path: 'a.yaml', text, set } as const;
}

/** Of all smaller ones, each of which has to be a scenario. */
function smallerConfigs(text: string, set: readonly string[] = []): SimulationConfig[] {
  return smallerSources(scenario(text, set)).map((source) => subjectOf(source).config);
}

function namesOf({ workloads }: SimulationConfig): string[] {
  return workloads.map(({ name }) => name);
}

describe('smaller scenarios', () => {
  it('lack a workload, whichever section it is in', () => {
    const all = ['first', 'second', 'join-leave', 'invalidate', 'events'];
    const found = smallerConfigs(three).map(namesOf);
    for (const name of all.slice(1)) expect(found).toContainEqual(all.filter((other) => other !== name));
    // What is planned for its buffers goes with it.
    expect(found).toContainEqual(['second', 'join-leave', 'invalidate']);
    // Two at once.
    expect(found).toContainEqual(['join-leave', 'invalidate']);
    expect(found).not.toContainEqual([]);
  });

  it('keep the only workload', () => {
    expect(
      smallerConfigs(`${small}workloads: [{ kind: pattern, size: 1pages }]`).map(namesOf),
    ).not.toContainEqual([]);
  });

  it('lack a class of load', () => {
    const text = `${small}duration: 1s\nloads: { munmap: free, fork: 10/s, size: 8pages, span: 8pages }`;
    const found = smallerConfigs(text);
    expect(found.map(namesOf)).toEqual(expect.arrayContaining([['munmap'], ['fork']]));
    const sizes = found.flatMap(({ workloads }) => workloads.map((one) => ('pages' in one ? one.pages : 0)));
    expect(sizes).toEqual(expect.arrayContaining([1, 4, 6]));
  });

  it('have fewer devices, with all that named a device naming one that is left', () => {
    const found = smallerConfigs(three);
    const two = found.find(({ deviceCount }) => deviceCount === 2);
    expect(two?.svm).toMatchObject({ preferredDevice: 1, interconnect: [[0, 1]] });
    expect(two?.workloads.find(({ kind }) => kind === 'join-leave')).toMatchObject({ stay: 1 });
    expect(two?.workloads.find(({ kind }) => kind === 'events')).toMatchObject({ events: [{ target: 1 }] });
    const one = found.find(({ deviceCount }) => deviceCount === 1);
    expect(one?.svm).toMatchObject({ preferredDevice: 0, interconnect: [] });
    expect(one?.workloads.find(({ kind }) => kind === 'join-leave')).toMatchObject({ stay: 0 });
  });

  it('have smaller numbers, down to one, on top of what options said', () => {
    const found = smallerConfigs(`${small}workloads: [{ kind: pattern, size: 1pages }]`, [
      'workloads.0.rounds=8',
    ]);
    const rounds = new Set(
      found.flatMap(({ workloads: [one] }) => (one.kind === 'pattern' ? one.rounds : [])),
    );
    expect([...rounds].sort()).toEqual([1, 4, 6, 8]);
    const last = smallerConfigs(`${small}workloads: [{ kind: pattern, size: 1pages, rounds: 1 }]`, [
      'devices.count=1',
    ]);
    expect(last.every(({ deviceCount }) => deviceCount === 1)).toBe(true);
  });

  it('have smaller buffers, and pieces that fit', () => {
    const invalidations = smallerConfigs(three).flatMap(({ workloads }) =>
      workloads.flatMap((one) => (one.kind === 'invalidate' ? [[one.pages, one.spanPages]] : [])),
    );
    expect(invalidations).toEqual(
      expect.arrayContaining([
        [1, 1],
        [2, 2],
        [4, 2],
      ]),
    );
  });

  it('have no CPU in the accesses, and one call less', () => {
    const works = smallerConfigs(three).flatMap(({ workloads }) => workloads);
    expect(works.some((one) => one.kind === 'pattern' && !one.cpu)).toBe(true);
    const calls = works.flatMap((one) => (one.kind === 'invalidate' ? [one.calls] : []));
    expect(calls).toEqual(expect.arrayContaining([['munmap'], ['mprotect']]));
  });

  it('keep work without an end as it is', () => {
    const text = `${small}duration: 1s\ninvalidation: { size: 1pages, operations: unlimited }`;
    for (const { workloads } of smallerConfigs(text))
      expect(workloads).toMatchObject([{ operations: Number.POSITIVE_INFINITY }]);
  });
});

describe('a failure of a scenario', () => {
  const shrunkWith = (bug: string) => foundAndShrunk({ source: scenario(three), bug }, SHRINK_LIMITS);

  it('is left with the workload and the devices that it needs', () => {
    const { from, to, target } = shrunkWith('B107');
    expect(from).toMatchObject({ threads: 5, devices: 3, contexts: 6 });
    expect(to).toMatchObject({ threads: 1, devices: 2, contexts: 2, operations: 1, pages: 1 });
    expect(subjectOf(target.source).config.svm.preferredDevice).toBe(1);
  });

  it('is left with one device where that is enough', () => {
    expect(shrunkWith('B40').to).toMatchObject({ threads: 1, devices: 1, contexts: 1 });
  });
});
