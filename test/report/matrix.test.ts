/** Source by destination. */

import { describe, expect, it } from 'vitest';
import { AssertionFailure } from '../../src/base/assert.js';
import { noColors } from '../../src/report/colors.js';
import { matrixBlock } from '../../src/report/matrix.js';
import { blocksAsText } from '../../src/report/reportBlock.js';

describe('matrixBlock', () => {
  it('has RAM first, devices by number, N/A for what was not measured, and says of what each sum is', () => {
    const cells = [
      { source: 'gpu10', destination: 'ram', bytesPerSecond: 1.5e9 },
      { source: 'ram', destination: 'gpu2', bytesPerSecond: 11.25e9 },
      { source: 'gpu2', destination: 'gpu10', bytesPerSecond: null },
    ];
    const block = matrixBlock({
      title: 'bandwidth (GB/s)',
      cells,
      sums: [{ bytesPerSecond: 12.75e9, of: 'of all' }],
    });
    expect(blocksAsText([block], noColors).split('\n')).toEqual([
      'bandwidth (GB/s)',
      '         ram    gpu2  gpu10',
      'ram      N/A  11.250    N/A',
      'gpu2     N/A     N/A  Error',
      'gpu10  1.500     N/A    N/A',
      'SUM 12.750, of all',
      '',
    ]);
  });

  it('refuses places that it cannot put in order', () => {
    const cells = ['disk', 'ram'].map((source) => ({ source, destination: 'ram', bytesPerSecond: 1 }));
    expect(() => matrixBlock({ title: '', cells, sums: [] })).toThrow(AssertionFailure);
  });
});
