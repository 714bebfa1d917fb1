/** The benchmark of exploration: its cells, its figures, and that replays agree. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { SubjectSource } from '../../src/bugs/bugOverlay.js';
import { type BlockTask, runBlock } from '../../src/explore/block.js';
import { benchExplore } from '../../src/explore/exploreBench.js';
import { exploreBenchReport } from '../../src/report/bench/explore.js';

const path = 'config/explore-share.yaml';
const source: SubjectSource = { kind: 'scenario', path, text: readFileSync(path, 'utf8'), set: [] };

describe('the benchmark of exploration', () => {
  it('measures each number of workers watched and not, on blocks that differ', async () => {
    const tasks: BlockTask[] = [];
    const opened: number[] = [];
    let closed = 0;
    const openPool = async (jobs: number) => {
      opened.push(jobs);
      return {
        run: async ({ block }: { block: BlockTask }) => {
          tasks.push(block);
          return runBlock({ ...block, schedules: 2 }, false);
        },
        close: async () => {
          closed++;
        },
      };
    };
    const told: string[] = [];
    const signal = new AbortController().signal;
    const cells = await benchExplore(
      { source, jobs: [1, 2], samples: 3, replays: 20, warmUpMs: 100 },
      openPool,
      signal,
      (cell) => {
        told.push(`${cell.jobs} ${cell.checked}`);
      },
    );
    expect(told).toEqual(['1 true', '1 false', '2 true', '2 false']);
    expect([opened, closed]).toEqual([[1, 2], 2]);
    expect(cells.every(({ scheduleRates }) => scheduleRates.length === 3)).toBe(true);
    expect(cells[0].scaling).toBe(1);
    const watched = tasks.filter(({ target }) => target.checks === 'all');
    expect(watched.length).toBeGreaterThan(0);
    expect(watched.length).toBeLessThan(tasks.length);
    const [check] = exploreBenchReport.checks(cells);
    expect(check).toEqual({
      name: 'replay',
      ok: true,
      detail: '20 of 20 replays took the same steps to the same end',
    });
  });
});
