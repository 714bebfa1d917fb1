/** Columns that line up. */

import { describe, expect, it } from 'vitest';
import { AssertionFailure } from '../../src/base/assert.js';
import { left, right, textTable } from '../../src/report/textTable.js';

const columns = [left('Name'), right('Count'), left('Note')];

describe('textTable', () => {
  it('aligns cells under their titles and leaves no spaces at the end of lines', () => {
    const rows = [
      ['a', '12345678', ''],
      ['longer', '9', 'why'],
    ];
    expect(textTable(columns, rows)).toEqual([
      'Name       Count  Note',
      'a       12345678',
      'longer         9  why',
    ]);
  });

  it('does not count escape codes as width', () => {
    const paint = (text: string): string => `<${text}>`;
    const cell = (row: number, column: number) => (row === 1 && column === 0 ? paint : undefined);
    const rows = [
      ['x', '1', 'n'],
      ['y', '2', 'n'],
    ];
    expect(textTable(columns, rows, { title: paint, cell })).toEqual([
      '<Name>  <Count>  <Note>',
      'x         1  n',
      '<y   >      2  n',
    ]);
  });

  it('refuses rows of another length', () => {
    expect(() => textTable(columns, [['a']])).toThrow(AssertionFailure);
  });
});
