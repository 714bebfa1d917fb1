/** The same report as text and as Markdown. */

import { describe, expect, it } from 'vitest';
import { noColors } from '../../src/report/colors.js';
import { blocksAsMarkdown, blocksAsText, type ReportBlock } from '../../src/report/reportBlock.js';
import { left, right } from '../../src/report/textTable.js';
import { text } from './fixtures.js';

const blocks: ReportBlock[] = [
  { title: 'Sizes', columns: [left('Name'), right('B')], rows: [['a|b', '10']], notes: ['SUM 10'] },
  { lines: ['PASSED: one | two'] },
];

describe('a report', () => {
  it('lines up as text', () => {
    expect(blocksAsText(blocks, noColors)).toBe(
      text(['Sizes', 'Name   B', 'a|b   10', 'SUM 10', '', 'PASSED: one | two']),
    );
  });

  it('has bars as Markdown, where those of the text are no columns', () => {
    expect(blocksAsMarkdown(blocks)).toBe(
      text([
        '**Sizes**',
        '',
        '| Name | B |',
        '| :-- | --: |',
        '| a\\|b | 10 |',
        '',
        'SUM 10  ',
        '',
        'PASSED: one \\| two  ',
      ]),
    );
  });
});
