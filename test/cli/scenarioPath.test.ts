/** Which file a scenario's name stands for. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { UserError } from '../../src/base/userError.js';
import { scenarioNames, scenarioPath } from '../../src/cli/scenarioPath.js';
import { tempFolder } from '../tempFolder.js';

const directory = tempFolder();
beforeAll(() => {
  for (const file of ['alpha.yaml', 'beta.yaml', 'notes.txt']) writeFileSync(join(directory, file), '');
});

describe('scenarioPath', () => {
  it.each(['alpha', 'alpha.yaml', 'config/alpha.yaml', './config/alpha.yaml', 'config/alpha'])(
    'finds what comes with svmsim as %s',
    (typed) => {
      expect(scenarioPath(typed, directory)).toBe(join(directory, 'alpha.yaml'));
    },
  );

  it('takes a file of the user first', () => {
    const file = join(directory, 'notes.txt');
    expect(scenarioPath(file, directory)).toBe(file);
  });

  it.each(['gamma', '/etc/alpha.yaml/x', '../alpha.yaml', 'notes'])(
    'refuses %s and says what there is',
    (typed) => {
      expect(() => scenarioPath(typed, directory)).toThrow(
        new UserError({
          where: typed,
          found: 'no such file',
          allowed: 'a scenario file, or one that comes with svmsim: alpha, beta',
        }),
      );
    },
  );

  it('guesses at misspelt names', () => {
    expect(() => scenarioPath('alpa', directory)).toThrow('did you mean alpha?');
  });

  it('shows paths below the working directory as one would type them', () => {
    expect(scenarioPath('n1-mirror')).toBe(join('config', 'n1-mirror.yaml'));
    expect(scenarioNames()).toContain('stress');
  });
});
