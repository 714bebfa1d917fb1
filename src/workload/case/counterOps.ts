/** The operation of a case that reads a driver's counters. */

import { CaseMisuse } from './caseThread.js';
import type { OpHandlers } from './opHandler.js';

export const counterOps: OpHandlers<'read_counter'> = {
  /** Under the names of xe's GT stats. */
  *read_counter(thread, { dev, counter }) {
    const value = thread.host.counter(thread.device(dev), counter);
    if (value === null) throw new CaseMisuse(`there is no counter ${counter}`);
    return { ret: 0, value };
  },
};
