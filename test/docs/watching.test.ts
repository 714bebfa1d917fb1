/** The samples of docs/watching.md have the form of what the program prints. */

import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { SteppedRun } from '../../src/index.js';
import { snapshotText } from '../../src/report/snapshotText.js';
import { statusText } from '../../src/report/statusLine.js';

const text = readFileSync(new URL('../../docs/watching.md', import.meta.url), 'utf8');
const samples = [...text.matchAll(/```text\n(.*?)```/gs)].map(([, sample]) => sample.trimEnd().split('\n'));

/** A line without what differs from run to run. */
function form(line: string): string {
  return line.replaceAll(/0x[0-9a-f]+|[\d,.]+/g, 'N').replaceAll(/ +/g, ' ');
}

const actor = { name: 'gpu1', letter: 'R', steps: 1358, waits: [], sent: 2, toReceive: 0 } as const;

it('the status line', () => {
  const rates = {
    faultsPerSecond: 35.5,
    migrationsPerSecond: 30.9,
    bytesPerSecond: 120_000,
    loadsPerSecond: [['munmap', 1.54] as const, ['mprotect', 1.54] as const],
  };
  const actors = (['R', 'R', 'F', 'R', 'R', 'R', 'R'] as const).map((letter) => ({
    name: 'x',
    letter,
    steps: 1,
  }));
  const progress = {
    phase: 'running',
    elapsedMs: 3000,
    remainingMs: 57_000,
    actors,
    counters: {},
    loads: [],
    violation: null,
  } as const;
  expect(statusText(progress, rates, 'wall')).toBe(samples[0][0]);
});

it('the snapshot', () => {
  const waits = samples[1]
    .filter((line) => line.startsWith('  '))
    .map((line) => line.replace('  coordinator: ', ''));
  const printed = snapshotText(
    {
      phase: 'running',
      elapsedMs: 3910,
      actors: [{ ...actor, name: 'coordinator', waits: waits.slice(1) }, actor],
      locks: [],
      counters: {},
      devices: [],
    },
    'wall',
  ).split('\n');
  expect(samples[1].slice(0, 2)).toEqual(printed.slice(0, 2));
  expect(samples[1].filter((line) => line.startsWith('gpu1')).map(form)).toEqual([form(printed[3])]);
  expect(printed).toContain('Who waits for what:');
  for (const line of samples[1].slice(8)) expect(printed).toContain(line);
});

it('the locks', () => {
  const faults = Array.from({ length: 23 }, (_, i) => `gpu.fault#${48 + i}`);
  const locks = [
    { name: 'svm lock of svm', mode: 'write', holders: ['gpu.fault#47'], waiters: faults },
    { name: 'migration lock', mode: 'read', holders: ['gpu.fault#46'], waiters: [] },
  ] as const;
  const none = { phase: 'running', elapsedMs: 1, actors: [], counters: {}, devices: [] } as const;
  expect(
    snapshotText({ ...none, locks }, 'wall')
      .trimEnd()
      .split('\n')
      .slice(-3),
  ).toEqual(samples[2]);
});

it('a page', async () => {
  const scenario = {
    ram: '16MiB',
    devices: { count: 2, vram: '8MiB' },
    workloads: [{ kind: 'saxpy' as const, elements: 4096 }],
  };
  const run = await SteppedRun.start({ scenario });
  run.run(() => run.counters().svm_pagefault_count > 0);
  const pages = run.machine.coordinator.mm.vmas;
  const printed = [...pages].map(({ start }) => run.page(start).map(form));
  expect(printed).toContainEqual(samples[3].map(form));
});
