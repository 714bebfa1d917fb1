/** Cases that need what the simulator has not are skipped with the missing need. */

import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { caseFileSchema, caseSchema } from '../../../src/case/caseSchema.js';
import { unknownNeed } from '../../../src/case/knownNeeds.js';
import { runCase } from '../../../src/simulation/case/runCase.js';

const folder = new URL('../../cases/', import.meta.url);
const steps = [{ op: 'mmap', args: { buf: 'A', pages: 1, prot: 'rw' } }];

describe('a need', () => {
  it('that nobody knows makes a case be skipped', async () => {
    const one = caseSchema.parse({ suite: 's', name: 'n', needs: ['fork', 'teleport'], steps });
    const report = await runCase(one, { executor: 'virtual', seed: 1 });
    expect(report).toMatchObject({ status: 'skip', missing: 'teleport' });
  });

  it('of the recorded and public cases is known', () => {
    for (const file of readdirSync(folder)) {
      const cases = caseFileSchema.parse(JSON.parse(readFileSync(new URL(file, folder), 'utf8')));
      for (const { name, needs } of cases) expect([name, unknownNeed(needs)]).toEqual([name, null]);
    }
  });

  it('may be an operation or a kind of memory', () => {
    expect(unknownNeed(['mremap', 'gpuvm_sm_map', 'coherent', 'vas'])).toBeNull();
  });
});
