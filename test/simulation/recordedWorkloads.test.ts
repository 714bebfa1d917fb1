/** Recordings as workloads: what was imported runs, and every byte is checked. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/base/userError.js';
import { passed, simulate } from '../../src/library/simulate.js';
import { importRecording } from '../../src/scenario/importRecording.js';
import { tempFolder } from '../tempFolder.js';

const folder = tempFolder();

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function recording(name: string): string {
  return fileURLToPath(new URL(`../mm-traces/${name}`, import.meta.url));
}

const machine = { ram: '64MiB', devices: { count: 2, vram: '16MiB', contexts: 4 } };

describe('accesses of a table', () => {
  const rows = Array.from({ length: 400 }, (_, i) => {
    const device = ['cpu', 'gpu0', 'gpu1'][i % 3];
    const address = 0x7f0000000000 + 4096 * ((i * 7) % 40);
    return `${i},${device},${address},64,${i % 2 === 0 ? 'write' : 'read'}`;
  });
  const table = file('accesses.csv', ['time,device,address,size,kind', ...rows].join('\n'));

  it('are made by those who made them', async () => {
    const workloads = [{ kind: 'accesses' as const, file: table, window: 50 }];
    const report = await simulate({ scenario: { ...machine, workloads } });
    expect(passed(report)).toBe(true);
    const [{ counts, detail }] = report.workloads;
    expect(counts).toMatchObject({ accesses: 400, pages: 40, windows: 8 });
    expect(counts.stores + counts.loads).toBeGreaterThan(100);
    expect(detail).toContain('400 accesses of accesses.csv to 40 pages');
    // Both GPUs have pages in common with the CPU, so they take them from one another.
    expect(report.devices.every(({ counters }) => counters.svm_pagefault_count > 0)).toBe(true);
  });

  it('of devices that the scenario does not have are refused', async () => {
    const workloads = [{ kind: 'accesses' as const, file: table }];
    const refused = simulate({ scenario: { ...machine, workloads }, devices: 1 });
    await expect(refused).rejects.toThrow(UserError);
    await expect(refused).rejects.toThrow(
      /accesses of gpu1, allowed: accesses of the devices of the scenario: gpu0/,
    );
  });
});

it('a call that fails in the replay alone is told as what it is, and not as lost content', async () => {
  const trace = file(
    'two-areas.strace',
    [
      'mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000000000',
      'mprotect(0x7f0000000000, 4096, PROT_READ) = 0',
      'mremap(0x7f0000000000, 8192, 16384, MREMAP_MAYMOVE) = 0x7f0000010000',
      '',
    ].join('\n'),
  );
  const report = await simulate({
    scenario: { ...machine, workloads: [{ kind: 'trace' as const, file: trace }] },
  });
  expect(report.workloads[0].detail).toContain('line 3, remap: recorded 0x7f0000010000, replayed -EFAULT');
  expect(report.checks.filter(({ ok }) => !ok)).toEqual([]);
});

it('a trace says of how many other processes or threads nothing is replayed', async () => {
  const trace = file(
    'attached.strace',
    [
      '12 1.1 restart_syscall(<... resuming interrupted read ...> <unfinished ...>',
      '13 1.2 mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000000000',
      '12 1.3 <... restart_syscall resumed>) = 0',
      '',
    ].join('\n'),
  );
  const report = await simulate({
    scenario: { ...machine, workloads: [{ kind: 'trace' as const, file: trace }] },
  });
  expect(report.workloads[0].detail).toContain('other processes or threads left out: 1');
});

describe('a trace buffer', () => {
  it('is replayed with the accesses that faulted', async () => {
    const imported = importRecording(recording('python-buffers.ftrace'), { pid: 5823 });
    const trace = file('python.strace', imported.text);
    const workloads = [{ kind: 'trace' as const, file: trace, 'touch-pages': 0, 'device-accesses': 4 }];
    const report = await simulate({ scenario: { ...machine, workloads } });
    expect(report.workloads.map(({ detail }) => detail).join()).toContain('of python.strace as recorded');
    expect(passed(report)).toBe(true);
    expect(report.workloads[0].counts.touched).toBeGreaterThan(80);
  });
});

describe('a program of which nothing can be touched', () => {
  it.each([
    ['failed calls only', '1 1.0 munmap(0x7f0000000001, 4096) = -1 EINVAL (Invalid argument)\n', 0],
    [
      'a mapping without access',
      '1 1.0 mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000000000\n',
      1,
    ],
    ['a look at the heap', '1 1.0 brk(NULL) = 0x555555558000\n', 0],
  ])('is replayed: %s', async (name, text, calls) => {
    const trace = file(`${name.replaceAll(' ', '-')}.strace`, text);
    const report = await simulate({
      scenario: { ...machine, workloads: [{ kind: 'trace' as const, file: trace }] },
    });
    expect(passed(report)).toBe(true);
    expect(report.workloads[0].counts).toMatchObject({ calls, touched: 0 });
  });

  it('may have reserved far more than there is to look at', async () => {
    const reserved =
      '1 1.0 mmap(NULL, 1099511627776, PROT_NONE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_NORESERVE, -1, 0) = 0x100000000000\n';
    const trace = file('reserved.strace', reserved);
    const report = await simulate({
      scenario: { ...machine, workloads: [{ kind: 'trace' as const, file: trace }] },
    });
    expect(report.checks.find((check) => check.name === 'M1')?.detail).toContain('268,435,456 pages');
    expect(passed(report)).toBe(true);
  });
});
