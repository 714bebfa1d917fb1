/** Which rate a load was asked for, where several workloads may put it on the machine. */

import { expect, it } from 'vitest';
import { wantedRateOf } from '../../src/workload/wantedRate.js';
import type { InvalidateConfig, JoinLeaveConfig } from '../../src/workload/workloadConfig.js';

const invalidate = (calls: InvalidateConfig['calls'], ratePerSecond?: number): InvalidateConfig => ({
  kind: 'invalidate',
  name: 'load',
  pages: 64,
  calls,
  spanPages: 16,
  operations: Number.POSITIVE_INFINITY,
  pauseUs: 0,
  launchAccesses: 1,
  ...(ratePerSecond === undefined ? {} : { ratePerSecond }),
});
const joinLeave: JoinLeaveConfig = {
  kind: 'join-leave',
  name: 'join-leave',
  stay: 0,
  atOnce: 1,
  operations: Number.POSITIVE_INFINITY,
  pauseUs: 20_000,
};

it('is the sum of all that do it alone, and at least that where one of them runs freely or does other things too', () => {
  const [slow, fast] = [invalidate(['munmap'], 20), invalidate(['munmap'], 50)];
  expect(wantedRateOf([slow, joinLeave, fast], 'munmap')).toEqual({ perSecond: 70, isLeast: false });
  const atLeast20 = { perSecond: 20, isLeast: true };
  expect(wantedRateOf([slow, invalidate(['munmap'])], 'munmap')).toEqual(atLeast20);
  expect(wantedRateOf([slow, invalidate(['munmap', 'madvise'], 5)], 'munmap')).toEqual(atLeast20);
  expect(wantedRateOf([invalidate(['munmap'])], 'munmap')).toBeNull();
  expect(wantedRateOf([slow], 'madvise')).toBeNull();
});

it('of devices that join and leave is what their mean pause gives', () => {
  expect(wantedRateOf([joinLeave], 'join-leave')).toEqual({ perSecond: 50, isLeast: false });
});
