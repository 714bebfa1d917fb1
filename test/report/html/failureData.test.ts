/** What a report says of a failure: how many of its steps are shown. */

import { expect, it } from 'vitest';
import { stepsText } from '../../../src/report/html/failureData.js';

it('steps that are left out are not told to be shown', () => {
  expect(stepsText(10, 8, 0)).toBe(
    '10, of which 8 are shown: in 2 a task that serves others found nothing to do',
  );
  expect(stepsText(9000, 8000, 5000)).toBe(
    '9,000, of which 3,000 are shown: in 1,000 a task that serves others found nothing to do, and the first 5,000 of the rest are left out',
  );
});
