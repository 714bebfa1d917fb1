/** Whole small systems under random schedules and settings: no store is lost, nothing leaks, nothing stays mapped that should not. */

import { describe, it } from 'vitest';
import { RandomRun } from './randomRun.js';

const SEEDS = [1, 2, 3, 4];

describe('whatever a seed decides', () => {
  it.each(SEEDS)('every byte is right while pages move and rights change (seed %i)', (seed) => {
    new RandomRun(seed, { destroys: false, fails: false }).run();
  });

  it.each(SEEDS)('nothing leaks while memory is unmapped, moved and replaced (seed %i)', (seed) => {
    new RandomRun(seed, { destroys: true, fails: false }).run();
  });

  it.each(SEEDS)(
    'every byte is right while mappings and allocations fail and pages are pinned (seed %i)',
    (seed) => {
      new RandomRun(seed, { destroys: false, fails: true }).run();
    },
  );

  it.each(SEEDS)('nothing leaks when all of that happens at once (seed %i)', (seed) => {
    new RandomRun(seed, { destroys: true, fails: true }).run();
  });
});
