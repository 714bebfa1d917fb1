/** What missing pages are filled with: the pattern of the range that each was registered with, counted from the start of the buffer. */

import { describe, expect, it } from 'vitest';
import { caseSchema } from '../../../src/case/caseSchema.js';
import { runCase } from '../../../src/simulation/case/runCase.js';

interface Range {
  readonly off: number;
  readonly pages: number;
  readonly fill: object;
}

const PAGES = 4;

const dwords = { p: 'const', v: 0x12345678 };
const other = { p: 'const', v: 9 };
const index = { p: 'index', k: 5 };
const negative = { p: 'neg_index' };
const bytes = { p: 'byte', v: 0xfe };

const all = { off: 0, pages: PAGES };
const low = { off: 0, pages: 2 };
const high = { off: 2, pages: 2 };

/** What is registered, one after the other, and what is then read. */
const fillings: readonly (readonly [string, readonly Range[], readonly Range[]])[] = [
  ['every dword', [{ ...all, fill: dwords }], [{ ...all, fill: dwords }]],
  ['dwords that count', [{ ...all, fill: index }], [{ ...all, fill: index }]],
  ['dwords that count down', [{ ...all, fill: negative }], [{ ...all, fill: negative }]],
  ['every byte', [{ ...all, fill: bytes }], [{ ...all, fill: bytes }]],
  ['counted from the buffer, not from the range', [{ ...high, fill: index }], [{ ...high, fill: index }]],
  [
    'of each range its own',
    [
      { ...low, fill: dwords },
      { ...high, fill: other },
    ],
    [
      { ...low, fill: dwords },
      { ...high, fill: other },
    ],
  ],
  [
    'of the last registration, where two overlap',
    [
      { ...all, fill: other },
      { off: 1, pages: 2, fill: index },
    ],
    [
      { off: 0, pages: 1, fill: other },
      { off: 1, pages: 2, fill: index },
      { off: 3, pages: 1, fill: other },
    ],
  ],
];

describe('missing pages are filled with', () => {
  it.each(fillings)('%s', async (_, registered, read) => {
    const one = caseSchema.parse({
      suite: 's',
      name: 'n',
      steps: [
        { op: 'mmap', args: { buf: 'A', pages: PAGES, prot: 'rw' } },
        ...registered.map((range) => ({ op: 'uffd_register', args: { buf: 'A', ...range } })),
        { op: 'cpu_read', args: { buf: 'A' }, as: 'r' },
      ],
      expect: read.map(({ off, pages, fill }) => ({ type: 'data', step: 'r', off, pages, equals: fill })),
    });
    const { status, problems } = await runCase(one, { executor: 'virtual', seed: 1 });
    expect({ status, problems }).toEqual({ status: 'pass', problems: [] });
  });
});
