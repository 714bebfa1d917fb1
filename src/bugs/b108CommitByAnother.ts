/** B108: whether a device may commit is asked of another device's pages. */

import type { RangeDevice } from '../driver/driverRange.js';
import { buffer, bugCase, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b108: BugOverlay = {
  id: 'B108',
  title: "a device commits by another device's pages",
  wrong:
    'The check before publishing looks at the pages object of another device of the range. One that was invalidated commits while the other is valid; and where the other does not fault again, nobody can ever commit.',
  reference: 'predicted for N:1 layouts',
  subject: bugCase({
    name: 'one of two devices reads a page again that was dropped',
    steps: [
      ...mirrorOn(2),
      buffer('A', 1),
      { op: 'cpu_write', args: { buf: 'A', pattern: { p: 'const', v: 1 } } },
      { op: 'gpu_read', args: { dev: 'gpu0', buf: 'A' } },
      { op: 'gpu_read', args: { dev: 'gpu1', buf: 'A' } },
      { op: 'madvise', args: { buf: 'A', advice: 'dontneed' } },
      { op: 'gpu_read', args: { dev: 'gpu0', buf: 'A' } },
    ],
  }),
  expected: [{ kind: 'livelock' }, { kind: 'invariant' }, { kind: 'assertion' }],
  stepsMax: 3_000,
  apply: ({ coordinator: { gpuFaults } }) => {
    const { binding } = gpuFaults.parts;
    const neighbours = new WeakMap<RangeDevice, () => readonly RangeDevice[]>();
    replaceMethod(
      binding,
      'bind',
      (right) =>
        function* (fault, range, part) {
          neighbours.set(part, () => range.parts.filter((other) => other !== part));
          return yield* right(fault, range, part);
        },
    );
    replaceMethod(binding, 'mayCommit', (right) => (fault, part) => {
      const [other = part] = neighbours.get(part)?.() ?? [];
      return right(fault, other);
    });
  },
};
