/** A hang in threads is found while the run is watched too, and a program that pauses for longer is none. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it, vi } from 'vitest';
import { type RunReport, simulate } from '../../src/index.js';

vi.mock('../../src/simulation/hangLooks.js', () => ({ LOOK_EVERY_MS: 100, HANG_LOOKS: 25 }));

const folder = mkdtempSync(join(tmpdir(), 'svmsim-hang-'));

afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Watched, so that waits are cut into short ones. */
function run(body: string): Promise<RunReport> {
  const module = join(folder, `${body.length}.mjs`);
  writeFileSync(module, `export default { programs: { own: () => ({ *run(host) { ${body} } }) } };`);
  const scenario = { ram: '4MiB', devices: { count: 1, vram: '4MiB' } };
  return simulate({ scenario, module, executor: 'threads' }, { onLive: () => {} });
}

it('tells of a program that blocks its thread', { timeout: 60_000 }, async () => {
  const { failure } = await run('Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);');
  expect(failure?.message).toMatch(/^no actor has taken a step for 2.5 s/);
});

it('lets a program sleep', { timeout: 60_000 }, async () => {
  const { failure, outcome } = await run('yield* host.sleep(4e9); return null;');
  expect(failure).toBeNull();
  expect(outcome).toBe('completed');
});
