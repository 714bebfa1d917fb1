/** A schedule in words: all turns of a short one, the first and the last of a long one. */

import { expect, it } from 'vitest';
import { scheduleText } from '../../src/report/scheduleText.js';

const turns = (count: number): { actor: string; steps: number }[] =>
  Array.from({ length: count }, (_, i) => ({ actor: `cpu${i}`, steps: 1000 + i }));

it('tells every turn', () => {
  expect(scheduleText(turns(3))).toBe('cpu0 1,000, cpu1 1,001, cpu2 1,002');
  expect(scheduleText(turns(33)).split(' cpu')).toHaveLength(33);
});

it('leaves out what is in the middle of many', () => {
  expect(scheduleText(turns(100))).toContain('cpu7 1,007, ... 68 turns ..., cpu76 1,076');
  expect(scheduleText(turns(100))).toMatch(/cpu99 1,099$/);
});
