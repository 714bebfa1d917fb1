/** Devices look different in the picture of residency. */

import { expect, it } from 'vitest';
import { lookOf } from '../../../src/report/page/ownerLook.js';

it('no two of 64 devices look the same', () => {
  const looks = Array.from({ length: 64 }, (_, device) => Object.values(lookOf(device)).join('.'));
  expect(new Set(looks).size).toBe(64);
});
