/** Time that a hypervisor has kept the processors for others. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { stolenMs } from '../../src/cli/stolenTime.js';
import { tempFolder } from '../tempFolder.js';

const folder = tempFolder();

function told(text: string): number | null {
  const file = join(folder, 'stat');
  writeFileSync(file, text);
  return stolenMs(file);
}

describe('stolenMs', () => {
  it('is the eighth figure of all processors together, in hundredths of a second', () => {
    expect(told('cpu  837 84 76 236 26 0 13 390 7 0\ncpu0 418 42 37 118 19 0 6 196 0 0\nintr 1 2\n')).toBe(
      3900,
    );
  });

  it('is unknown where nobody tells', () => {
    expect(told('cpu 1 2 3 4\n')).toBeNull();
    expect(stolenMs('/nowhere/stat')).toBeNull();
  });
});
