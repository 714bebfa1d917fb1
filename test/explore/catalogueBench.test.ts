/** The figures of the catalogue: each bug is found and shrunk, and the report judges all of them together. */

import { describe, expect, it } from 'vitest';
import type { BugOverlay } from '../../src/bugs/bugOverlay.js';
import { findBug } from '../../src/bugs/catalogue.js';
import { benchCatalogue, type CatalogueCell } from '../../src/explore/catalogueBench.js';
import { catalogueBlocks } from '../../src/report/bench/catalogue.js';
import { exploreBenchReport } from '../../src/report/bench/explore.js';

function bug(id: string): BugOverlay {
  const found = findBug(id);
  if (found === null) throw new Error(`${id} is missing`);
  return found;
}

const FEW = { runs: 300, steps: 60_000 };

const measure = (
  bugs: readonly BugOverlay[],
  signal = new AbortController().signal,
): Promise<CatalogueCell[]> => benchCatalogue(bugs, signal, () => {}, FEW);

const size = { operations: 9, pages: 1, devices: 1, contexts: 1, threads: 1, preemptions: 4 };

function cell(id: string, left: number, preemptions: number): CatalogueCell {
  const shrunk = { from: { ...size, steps: 100 }, to: { ...size, steps: left, preemptions } };
  return { bug: id, schedules: 3, wallSeconds: 0.5, shrunkAlone: shrunk, shrunk };
}

describe('the catalogue as a benchmark', () => {
  it('tells of each bug how soon it was found and how small it became', async () => {
    const [first, second] = await measure([bug('B75'), bug('B21')]);
    expect([first.bug, second.bug]).toEqual(['B75', 'B21']);
    expect(first.schedules).toBe(1);
    expect(first.shrunk?.to.steps).toBeLessThan(0.4 * (first.shrunk?.from.steps ?? 0));
    expect(first.shrunkAlone?.from.steps).toBeLessThan(first.shrunk?.from.steps ?? 0);
  });

  it('does not count what shows as something else', async () => {
    const [only] = await measure([{ ...bug('B75'), expected: [{ kind: 'deadlock' }] }]);
    expect(only).toMatchObject({ schedules: null, shrunkAlone: null, shrunk: null });
    const [found] = exploreBenchReport.checks([only, cell('B1', 10, 0)]);
    expect(found).toEqual({
      name: 'catalogue',
      ok: false,
      detail: 'not found within 20,000 schedules and 60s (wall): B75',
    });
  });

  it('ends when it is asked to', async () => {
    expect(await measure([bug('B75')], AbortSignal.abort())).toEqual([]);
  });

  it('holds the median of the steps and the most preemptions against their limits', () => {
    const judge = (...cells: CatalogueCell[]): boolean | undefined =>
      exploreBenchReport.checks(cells).find(({ name }) => name === 'shrinking')?.ok;
    expect(judge(cell('B1', 100, 3), cell('B2', 40, 0), cell('B3', 10, 0))).toBe(true);
    expect(judge(cell('B1', 100, 3), cell('B2', 41, 0), cell('B3', 10, 0))).toBe(false);
    expect(judge(cell('B1', 10, 4))).toBe(false);
    const [block] = catalogueBlocks([cell('B1', 100, 3), cell('B2', 40, 0), cell('B3', 10, 0)]);
    expect(JSON.stringify(block)).toContain('"median","3","0.50","40%","100","40","40%"');
  });
});
