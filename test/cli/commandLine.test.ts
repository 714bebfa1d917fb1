/** Words that a shell reads back as they were. */

import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { commandLine } from '../../src/cli/commandLine.js';

describe('commandLine', () => {
  it('quotes only what needs it', () => {
    expect(commandLine(['svmsim', '--set', 'a.b=1', "it's"])).toBe("svmsim --set a.b=1 'it'\\''s'");
    expect(commandLine([''])).toBe("''");
  });

  it('is read back by a shell as the same words', () => {
    const words = ['a b', "'", '"$HOME"', '`x`', '[1, 2]', '*', '\\', 'a\nb', '~', '#x', ''];
    const script = `printf '%s\\0' ${commandLine(words)}`;
    expect(execFileSync('sh', ['-c', script]).toString().split('\0').slice(0, -1)).toEqual(words);
  });
});
