/** The counters that a case can read. */

export { readableCounters as caseCounters } from '../../observe/counters.js';
