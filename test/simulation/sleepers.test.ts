/** Sleeps end when they are cut short, and their timers with them. */

import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Sleepers } from '../../src/simulation/sleepers.js';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

it('all who sleep are woken, and no timer is left', async () => {
  const sleepers = new Sleepers();
  const both = Promise.all([sleepers.sleep(1000), sleepers.sleep(2000)]);
  expect(vi.getTimerCount()).toBe(2);
  sleepers.wakeAll();
  await both;
  expect(vi.getTimerCount()).toBe(0);
});

it('who is not woken sleeps for the time', async () => {
  const sleepers = new Sleepers();
  let isAwake = false;
  const slept = sleepers.sleep(1000).then(() => {
    isAwake = true;
  });
  await vi.advanceTimersByTimeAsync(999);
  expect(isAwake).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  await slept;
  sleepers.wakeAll();
});
