/** A policy of the user's own that throws or gives garbage: one message, that names the file, the function and the answer. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/base/userError.js';
import { makeSimulation } from '../../src/simulation/makeSimulation.js';
import { tempFolder } from '../tempFolder.js';
import { smallScenario } from './scenarios.js';

const folder = tempFolder();

async function errorOf(
  name: string,
  text: string,
  executor: 'virtual' | 'threads' = 'virtual',
): Promise<unknown> {
  const policyFile = join(folder, name);
  writeFileSync(policyFile, `export default ${text}`);
  const set = ['devices.vram=128KiB', 'svm.chunks=[64KiB, 4KiB]'];
  const run = makeSimulation({ ...smallScenario({ executor, set }), policyFile }).run();
  return run.then(
    () => null,
    (error: unknown) => error,
  );
}

const placement = (place: string): string => `{ name: 'mine', onlySystemPages: false, place: ${place} }`;
const eviction = (victim: string): string => `{ eviction: { name: 'mine', victim: ${victim} } }`;
const prefetch = (ahead: string): string => `{ prefetch: { name: 'mine', pagesAhead: ${ahead} } }`;
const PLACES = /allowed: a device from 0 to 1, or -1 \(System\), -2 \(Undefined\), -3 \(Faulting\)$/;

describe('a policy', () => {
  it.each([
    [
      'throws.mjs',
      placement('() => { throw new TypeError("no idea"); }'),
      /found place\(\) of 'mine' that throws TypeError: no idea at throws\.mjs:\d+ for a (load|store) of device [01] at 0x/,
      PLACES,
    ],
    ['text.mjs', placement('() => "gpu0"'), /found place\(\) of 'mine' that gives 'gpu0' for a/, PLACES],
    ['nothing.mjs', placement('() => {}'), /that gives undefined for a/, PLACES],
    ['beyond.mjs', placement('() => 2'), /that gives 2 for a/, PLACES],
    ['fraction.mjs', placement('() => 0.5'), /that gives 0\.5 for a/, PLACES],
    [
      'victim.mjs',
      eviction('() => ({})'),
      /found victim\(\) of 'mine' that gives an object for \d+ pages/,
      /allowed: one of the candidates, or null$/,
    ],
    ['noVictim.mjs', eviction('() => undefined'), /that gives undefined for \d+ pages/, /or null$/],
    [
      'ahead.mjs',
      prefetch('() => NaN'),
      /found pagesAhead\(\) of 'mine' that gives NaN for a/,
      /allowed: a whole number of pages from 0$/,
    ],
  ])('%s ends the run with one line', async (name, text, found, allowed) => {
    const error = await errorOf(name, text);
    expect(error).toBeInstanceOf(UserError);
    const message = error instanceof UserError ? error.message : '';
    expect(message).toContain(`${join(folder, name)}: found `);
    expect(message).toMatch(found);
    expect(message).toMatch(allowed);
    expect(message).not.toContain('\n');
  });

  it('does so from the thread that asks it, too', async () => {
    const error = await errorOf('thread.mjs', placement('() => "gpu0"'), 'threads');
    expect(error).toBeInstanceOf(UserError);
    expect(String(error)).toMatch(/that gives 'gpu0' for a/);
  });

  it('may say what is brought to a device before it asks', async () => {
    const policyFile = join(folder, 'good.mjs');
    const text = prefetch('({ servedEnd, areaEnd }) => Math.min(32, areaEnd - servedEnd)');
    writeFileSync(policyFile, `export default ${text}`);
    // With more invalidations the count says more of their order than of the policy.
    const set = ['svm.chunks=[64KiB, 4KiB]', 'invalidation.operations=1'];
    const config = smallScenario({ executor: 'virtual', set });
    const plain = await makeSimulation(config).run();
    const ahead = await makeSimulation({ ...config, policyFile }).run();
    for (const report of [plain, ahead])
      expect([report.failure, report.checks.filter(({ ok }) => !ok)]).toEqual([null, []]);
    expect(ahead.counters.svm_pagefault_count).toBeLessThan(plain.counters.svm_pagefault_count);
  });
});
