/** The names by which calls speak are those that case files may use. */

import { expect, it } from 'vitest';
import { flagsOf, namesOfFlags } from '../../src/actors/svmNames.js';
import { svmFlagNames } from '../../src/case/svmFlagNames.js';

it('flags of SVM attributes are the same for cases and for the driver', () => {
  const all = flagsOf(svmFlagNames) ?? 0;
  expect(namesOfFlags(all)).toEqual([...svmFlagNames]);
  expect(namesOfFlags(-1)).toEqual(namesOfFlags(all));
});
