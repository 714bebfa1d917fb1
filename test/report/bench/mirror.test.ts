/** What `bench mirror` says: each figure with its clock, what one HMM fault for all saves, and what it costs. */

import { describe, expect, it } from 'vitest';
import { mirrorReport } from '../../../src/report/bench/mirror.js';
import { noColors } from '../../../src/report/colors.js';
import { blocksAsText } from '../../../src/report/reportBlock.js';
import type { MirrorCell } from '../../../src/simulation/bench/mirror.js';
import { mirrorCell } from '../../cli/fakeHost.js';
import { simulationConfig } from '../fixtures.js';

const mirrorChecks = mirrorReport.checks;
const textOf = (cells: readonly MirrorCell[]): string =>
  blocksAsText(mirrorReport.blocks(cells, simulationConfig()), noColors);
const alone = mirrorCell({
  name: 'one-to-one/8/shared',
  layout: 'one-to-one',
  hmmPages: 8192,
  hmmWalks: 512,
});

describe('the report of bench mirror', () => {
  it('names a clock for every time, and leaves out a clock that nobody read', () => {
    const text = textOf([alone, mirrorCell()]);
    expect(text).toContain('First access (simulated)');
    expect(text).not.toContain('(wall)');
    const wall = { firstAccessNs: 5, invalidateNs: [6], againNs: [7], warmups: 31, isSteady: false };
    expect(textOf([mirrorCell({ wall })])).toContain('Invalidation (wall)');
    expect(textOf([mirrorCell({ wall })])).toContain('31, not steady');
  });

  it('says what one fault for all saves', () => {
    expect(textOf([alone, mirrorCell()])).toContain(
      '8 devices, shared: one HMM fault for all walks 0.125 of the pages of 1:1; nothing costs more',
    );
  });

  it('says what it costs: maps for nothing, metadata, and what takes longer', () => {
    const times = { firstAccessNs: 1000, invalidateNs: [100], againNs: [500] };
    const faster = { ...alone, metadataBytes: 2048, simulated: times };
    const slower = { firstAccessNs: 2000, invalidateNs: [50], againNs: [501] };
    const cost = textOf([
      faster,
      mirrorCell({ dmaMapsUnused: 7168, metadataBytes: 4096, simulated: slower }),
    ]);
    expect(cost).toContain(
      'it costs 7,168 of 8,192 DMA maps for nothing, 4KiB of metadata instead of 2KiB, first access in 2us instead of 1us (simulated)',
    );
    expect(cost).not.toContain('invalidation in');
  });

  it('holds the saving against a sixth at eight devices', () => {
    expect(mirrorChecks([alone, mirrorCell()]).map(({ name, ok }) => [name, ok])).toEqual([
      ['content', true],
      ['HMM walks', true],
    ]);
    const little = [alone, mirrorCell({ hmmPages: 2000 })];
    expect(mirrorChecks(little)[1]).toMatchObject({ ok: false });
    expect(mirrorChecks([mirrorCell({ devices: 4 })])).toHaveLength(1);
  });

  it('fails when a load was wrong', () => {
    expect(mirrorChecks([mirrorCell({ verified: false })])[0].ok).toBe(false);
  });
});
