/** Work that several take from: the first error ends the others, and is told once they have ended. */

import { expect, it } from 'vitest';
import { shareOut } from '../../src/cli/shareOut.js';

it('gives each worker what is left', async () => {
  const left = [1, 2, 3, 4, 5];
  const taken: number[] = [];
  await shareOut(2, new AbortController().signal, async () => {
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      taken.push(next);
      await Promise.resolve();
    }
  });
  expect(taken).toEqual([5, 4, 3, 2, 1]);
});

it('waits for the others, whom it has told to end, before it rejects', async () => {
  const log: string[] = [];
  let workers = 0;
  const work = async (either: AbortSignal): Promise<void> => {
    if (workers++ === 0) throw new Error('the first');
    await new Promise<void>((resolve) => either.addEventListener('abort', () => resolve()));
    log.push('ended');
    throw new Error('the second');
  };
  await expect(shareOut(2, new AbortController().signal, work)).rejects.toThrow('the first');
  expect(log).toEqual(['ended']);
});
