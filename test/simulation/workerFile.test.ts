/** The entry that a worker starts from: the bundle, unless something was compiled after it. */

import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { workerFile } from '../../src/simulation/workerFile.js';

let dist = '';

function write(file: string, writtenAtSeconds: number): void {
  const path = join(dist, file);
  writeFileSync(path, '');
  utimesSync(path, writtenAtSeconds, writtenAtSeconds);
}

beforeEach(() => {
  dist = mkdtempSync(join(tmpdir(), 'svmsim-dist-'));
  mkdirSync(join(dist, 'bundles'));
});
afterEach(() => rmSync(dist, { recursive: true }));

describe('workerFile', () => {
  it('is the bundle of the last build', () => {
    write('.tsbuildinfo', 100);
    write('bundles/device.js', 101);
    expect(workerFile('device', dist)).toBe(join(dist, 'bundles', 'device.js'));
  });

  it('is the bundle in an installed package, which holds no record of the compilation', () => {
    write('bundles/device.js', 101);
    expect(workerFile('device', dist)).toBe(join(dist, 'bundles', 'device.js'));
  });

  it('is the compiled entry when the sources were compiled again after bundling', () => {
    write('bundles/device.js', 101);
    write('.tsbuildinfo', 102);
    expect(workerFile('device', dist)).toBe(join(dist, 'workers', 'device.js'));
  });

  it('is the compiled entry without a bundle', () => {
    write('bundles/device.js', 101);
    expect(workerFile('coordinator', dist)).toBe(join(dist, 'workers', 'coordinator.js'));
  });
});
