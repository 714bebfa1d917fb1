/** Options of the command line over the values of a scenario file. */

import { describe, expect, it } from 'vitest';
import { loadScenario } from '../../src/scenario/loadScenario.js';
import type { ScenarioOverrides } from '../../src/scenario/overrides.js';
import { Scratch } from './scratch.js';

const scratch = new Scratch();

const YAML = `
seed: 1
ram: 64MiB
svm: {}
workloads:
  - kind: jacobi
  - { kind: saxpy, name: first }
  - { kind: saxpy }
`;

function load(overrides: ScenarioOverrides, yaml = YAML) {
  return loadScenario(scratch.write('s.yaml', yaml), overrides);
}

function mistake(overrides: ScenarioOverrides, yaml = YAML): string {
  return scratch.mistakeOf(() => load(overrides, yaml));
}

describe('options with a name', () => {
  it('replace what the file says', () => {
    const config = load(
      { executor: 'virtual', seed: 7, devices: 2, layout: 'one-to-one', durationMs: 2500 },
      'ram: 64MiB',
    );
    expect(config).toMatchObject({ executor: 'virtual', seed: 7, deviceCount: 2, durationMs: 2500 });
    expect(config.svm.layout).toBe('one-to-one');
  });

  it('may be texts as typed', () => {
    expect(load({ seed: '7', devices: '2' })).toMatchObject({ seed: 7, deviceCount: 2 });
  });

  it('put loads in place of those of the file, and a preset in place of its own', () => {
    const yaml = 'duration: 1s\ninvalidation: {}\njoin-leave: {}\nloads: { munmap: free, size: 8pages }';
    const { workloads } = load({ loads: { fork: '10/s' }, verifiesLoads: true }, yaml);
    expect(workloads).toMatchObject([{ calls: ['fork'], ratePerSecond: 10, pages: 8, verifiesCalls: true }]);
    expect(workloads).toHaveLength(1);
    expect(load({ preset: 'xe-bmg' }).cost).toMatchObject({ preset: 'xe-bmg', copySetupNs: 35_000 });
    expect(mistake({ loads: { fork: 'x' } }, yaml)).toContain(
      "--load fork=x: key 'loads.fork': found x, allowed: a rate",
    );
    expect(mistake({ preset: 'none.yaml' })).toContain("--preset none.yaml: key 'cost.preset': found ");
  });

  it('may take the end away', () => {
    expect(load({ durationMs: Number.POSITIVE_INFINITY }, 'duration: 1s').durationMs).toBe(
      Number.POSITIVE_INFINITY,
    );
  });

  it.each([
    [{ executor: 'fast' }, "--executor fast: key 'executor': found fast, allowed: virtual, threads"],
    [{ seed: 'abc' }, "--seed abc: key 'seed': found abc, allowed: a whole number from 0 to 4294967295"],
    [{ seed: '1.5' }, "--seed 1.5: key 'seed': found 1.5, allowed: a whole number from 0 to 4294967295"],
    [{ devices: 0 }, "--devices 0: key 'devices.count': found 0, allowed: a whole number from 1 to 64"],
    [
      { layout: 'n:1' },
      "--layout n:1: key 'svm.layout': found n:1, allowed: n1, n1-shared-fault, one-to-one",
    ],
    [
      { durationMs: 0 },
      "--seconds 0: key 'duration': found 0ms, allowed: 1ms to 24h in whole milliseconds, such as 20s or 500ms, or unlimited",
    ],
  ])('%j is refused', (overrides, message) => {
    expect(mistake(overrides)).toBe(message);
  });

  it('may make a value of the file impossible, which is then told at its line', () => {
    expect(mistake({ devices: 2 }, 'svm:\n  preferred-device: 3')).toBe(
      "s.yaml:2: key 'svm.preferred-device': found 3, allowed: a device that exists: 0 to 1",
    );
  });
});

describe('--set', () => {
  it('sets any key, in the units of the file', () => {
    const config = load({
      set: ['ram=32MiB', 'devices.vram=16pages', 'svm.chunks=[64KiB, 4KiB]', 'cost.gpu-fault=3us'],
    });
    expect(config).toMatchObject({ ramPages: 8192, device: { vramPages: 16 }, svm: { chunkPages: [16, 1] } });
    expect(config.cost.gpuFaultNs).toBe(3000);
  });

  it('finds a workload by index, by name, or by a kind that stands there once', () => {
    const { workloads } = load({
      set: ['workloads.jacobi.iterations=3', 'workloads.first.rounds=4', 'workloads.2.rounds=5'],
    });
    expect(workloads).toMatchObject([{ iterations: 3 }, { rounds: 4 }, { rounds: 5 }]);
  });

  it('takes a whole section', () => {
    expect(load({ set: ['workloads=[]', 'invalidation={threads: 2}'] }).workloads).toHaveLength(2);
  });

  it('changes one place of two that share an anchor', () => {
    const config = load(
      { set: ['workloads.1.rounds=9'] },
      'workloads:\n  - &w { kind: saxpy, rounds: 1 }\n  - *w\n',
    );
    expect(config.workloads).toMatchObject([{ rounds: 1 }, { rounds: 9 }]);
  });

  it('the last one holds, and an option with a name goes with it only where both say the same', () => {
    expect(load({ set: ['seed=2', 'seed=3'] }).seed).toBe(3);
    expect(load({ set: ['seed=4'], seed: 4 }).seed).toBe(4);
    expect(() => load({ set: ['seed=2'], seed: 4 })).toThrow('found --set seed=2 beside it');
    const loads = { fork: '5' };
    for (const assignment of ['loads.munmap=10/s', 'loads={ munmap: 10/s }', 'invalidation.operations=7'])
      expect(() => load({ set: [assignment], loads })).toThrow(`found --set ${assignment} beside it`);
    expect(() => load({ set: ['seed=!!binary aGk='] })).toThrow('Unresolved tag');
  });

  it.each([
    ['ram', '--set ram: found ram, allowed: key.path=value, such as devices.vram=128MiB'],
    ['=3', '--set =3: found =3, allowed: key.path=value, such as devices.vram=128MiB'],
    [
      'svm..layout=n1',
      '--set svm..layout=n1: found svm..layout=n1, allowed: key.path=value, such as devices.vram=128MiB',
    ],
    [
      'svm.layuot=n1',
      "--set svm.layuot=n1: key 'svm.layuot': found an unknown key, allowed: layout, chunks, notifier, placement, preferred-device, interconnect, links, timeslice, atomic-timeslice, prefetch, prefetch-together, migrate-min (did you mean 'layout'?)",
    ],
    [
      'foo.bar=1',
      "--set foo.bar=1: key 'foo': found an unknown key, allowed: name, description, seed, executor, duration, ram, thp, devices, svm, cost, workloads, events, join-leave, loads, invalidation",
    ],
    [
      'ram=0',
      "--set ram=0: key 'ram': found 0, allowed: 4KiB to 16380MiB in whole 4KiB pages, such as 2MiB, 64KiB, 4096 (bytes) or 16pages",
    ],
    [
      'svm.chunks=[4KiB, 2MiB]',
      "--set svm.chunks=[4KiB, 2MiB]: key 'svm.chunks': found [4KiB, 2MiB], allowed: descending powers of two ending in 4KiB, the first at most 2MiB, such as [2MiB, 64KiB, 4KiB]",
    ],
    [
      'ram.size=1',
      "--set ram.size=1: key 'ram.size': found 'ram', which is 64MiB, allowed: a key below a map",
    ],
    [
      'workloads.9.rounds=1',
      "--set workloads.9.rounds=1: key 'workloads.9.rounds': found item 9, allowed: an index from 0 to 2, or a name or kind that stands there once: jacobi, first, saxpy",
    ],
    [
      'workloads.saxpy.rounds=1',
      "--set workloads.saxpy.rounds=1: key 'workloads.saxpy.rounds': found item saxpy, allowed: an index from 0 to 2, or a name or kind that stands there once: jacobi, first, saxpy",
    ],
    [
      'svm.chunks=[2MiB',
      "--set svm.chunks=[2MiB: key 'svm.chunks': found a YAML syntax error: Flow sequence must end with a ], allowed: well-formed YAML",
    ],
    ['ram=*x', "--set ram=*x: key 'ram': found *x, allowed: a value without aliases"],
  ])('%s is refused', (set, message) => {
    expect(mistake({ set: [set] })).toBe(message);
  });

  it('cannot reach behind the keys', () => {
    expect(mistake({ set: ['__proto__.polluted=1'] })).toMatch(
      /^--set __proto__\.polluted=1: key '__proto__': found an unknown key/,
    );
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });

  it('does not repair a file that is wrong by itself', () => {
    expect(mistake({ set: ['ram=8MiB'] }, 'ram: 0')).toMatch(/^s\.yaml:1: key 'ram': found 0/);
  });

  it('that names a trace that is not there is told as the option it is', () => {
    expect(mistake({ set: ['workloads=[{kind: trace, file: none}]'] })).toBe(
      "--set workloads=[{kind: trace, file: none}]: key 'workloads.0.file': found none, no such file, allowed: a recorded program: the output of strace -f -ttt",
    );
  });
});
