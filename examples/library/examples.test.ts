/** The examples of this folder, run: what they show is what happens. */

import { describe, expect, it } from 'vitest';
import { compareInvalidations } from './oneAfterAnother.js';
import { watchFirstMigration } from './stepByStep.js';

describe('a run driven by hand', () => {
  it('shows the page that moved first, who waits, and that nothing is wrong at the end', async () => {
    const lines = await watchFirstMigration(1);
    expect(lines[0]).toMatch(/^after \d+ steps, \d+ ns: 0x[0-9a-f]+ has moved$/);
    expect(lines[1]).toMatch(/^CPU .*area .* entry /);
    expect(lines[2]).toMatch(/^gpu0 /);
    expect(lines.at(-1)).toMatch(/checks, 0 failed$/);
    expect(await watchFirstMigration(1)).toEqual(lines);
    expect(await watchFirstMigration(2)).not.toEqual(lines);
  });
});

describe('an invalidation of ones own', () => {
  it('that asks one device after another takes longer than the driver, which asks all at once', async () => {
    const { atOnce, oneAfterAnother } = await compareInvalidations();
    expect(atOnce).toBeGreaterThan(0);
    expect(oneAfterAnother).toBeGreaterThan(atOnce);
  });
});
