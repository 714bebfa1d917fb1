/** Which ranges a mirror holds after its memory was changed in part: at once, and when devices have used what is left. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../src/base/errno.js';
import { type Vpn, vpn } from '../../src/base/units.js';
import { stayWhereTheyAre } from '../../src/driver/placement.js';
import type { SvmVm } from '../../src/driver/svmVm.js';
import { Madvise } from '../../src/mm/area/madvise.js';
import { Prot } from '../../src/mm/area/mmap.js';
import { MremapFlag } from '../../src/mm/area/mremap.js';
import type { Steps } from '../../src/sim/steps.js';
import { load, System, store } from './harness.js';

/** Aligned to all chunks and to the window of a notifier. */
const AREA = 0x4000;
const PAGES = 544;
/** Where a part of the area is moved. */
const ELSEWHERE = 1024;

type Layout = 'n1' | 'one-to-one';

class Splits extends System {
  constructor(layout: Layout, chunkPages: readonly number[]) {
    const sizes = { ramPages: 1200, vramPages: 16, notifierPages: 1024, gpuTables: 32 };
    super({ layout, chunkPages, policy: stayWhereTheyAre, ...sizes });
    this.map(AREA, PAGES);
  }

  /** One device stores to what may be written and loads the rest, page by page. */
  touch(device: number): void {
    const { mm } = this.coordinator;
    const context = this.context(device);
    const pass = function* (): Steps<void> {
      for (const vma of [...mm.vmas]) {
        for (let page: number = vma.start; page < vma.end; page++) {
          const done = vma.isWritable ? yield* store(context, page, page) : yield* load(context, page);
          expect(vma.isWritable ? done === Errno.OK : done >= 0).toBe(true);
        }
      }
    };
    this.run(pass());
  }

  /** Each mirror's ranges as `first-end/pages`, neighbours of one size together; pages count from the area's start. */
  get ranges(): string[] {
    return this.coordinator.vms.map(rangesOf);
  }

  part(first: number): Vpn {
    return vpn(AREA + first);
  }
}

function rangesOf(vm: SvmVm): string {
  const runs: { start: number; end: number; size: number }[] = [];
  for (const { start, end, npages } of vm.gpusvm.allRanges()) {
    const last = runs.at(-1);
    if (last !== undefined && last.end === start && last.size === npages) last.end = end;
    else runs.push({ start, end, size: npages });
  }
  return runs.map(({ start, end, size }) => `${start - AREA}-${end - AREA}/${size}`).join(' ');
}

const LARGE = [512, 16, 1];
const SMALL = [16, 1];

interface Split {
  readonly what: string;
  change(system: Splits): Steps<number>;
  /** With chunks of 512 pages, and without, before any access. */
  readonly large: string;
  readonly small: string;
  /** When devices have used all of it; the same with both lists of chunks, unless given. */
  readonly used: string;
  readonly usedLarge?: string;
}

const WHOLE_LARGE = '0-512/512 512-544/16';
const WHOLE_SMALL = '0-544/16';

const splits: Split[] = [
  {
    what: 'nothing',
    *change() {
      return 0;
    },
    large: WHOLE_LARGE,
    small: WHOLE_SMALL,
    used: WHOLE_SMALL,
    usedLarge: WHOLE_LARGE,
  },
  {
    what: 'munmap of the front',
    change: (system) => system.cpus[0].munmap(system.part(0), 8),
    large: '512-544/16',
    small: '16-544/16',
    used: '8-16/1 16-544/16',
  },
  {
    what: 'munmap of the middle',
    change: (system) => system.cpus[0].munmap(system.part(100), 20),
    large: '512-544/16',
    small: '0-96/16 128-544/16',
    used: '0-96/16 96-100/1 120-128/1 128-544/16',
  },
  {
    what: 'munmap of the middle, at ends of chunks',
    change: (system) => system.cpus[0].munmap(system.part(96), 32),
    large: '512-544/16',
    small: '0-96/16 128-544/16',
    used: '0-96/16 128-544/16',
  },
  {
    what: 'munmap of the back',
    change: (system) => system.cpus[0].munmap(system.part(504), 40),
    large: '',
    small: '0-496/16',
    used: '0-496/16 496-504/1',
  },
  {
    what: 'munmap of all',
    change: (system) => system.cpus[0].munmap(system.part(0), PAGES),
    large: '',
    small: '',
    used: '',
  },
  {
    // Protection takes the entries away, and no range: those that lie across its ends go when an access finds that they do.
    what: 'mprotect of a part',
    change: (system) => system.cpus[0].mprotect(system.part(40), 10, Prot.Read),
    large: WHOLE_LARGE,
    small: WHOLE_SMALL,
    used: '0-32/16 32-64/1 64-544/16',
  },
  {
    what: 'mprotect of a part, at ends of chunks',
    change: (system) => system.cpus[0].mprotect(system.part(32), 32, Prot.Read),
    large: WHOLE_LARGE,
    small: WHOLE_SMALL,
    used: WHOLE_SMALL,
  },
  {
    what: 'mremap of a part',
    *change(system) {
      const flags = MremapFlag.MayMove | MremapFlag.Fixed;
      const moved = yield* system.cpus[0].mremap(system.part(100), 16, 16, flags, system.part(ELSEWHERE));
      return moved === system.part(ELSEWHERE) ? 0 : moved;
    },
    large: '512-544/16',
    small: '0-96/16 128-544/16',
    used: '0-96/16 96-100/1 116-128/1 128-544/16 1024-1040/16',
  },
  {
    what: 'mremap of a part to where chunks do not fit',
    *change(system) {
      const flags = MremapFlag.MayMove | MremapFlag.Fixed;
      const to = system.part(ELSEWHERE + 4);
      const moved = yield* system.cpus[0].mremap(system.part(96), 16, 16, flags, to);
      return moved === to ? 0 : moved;
    },
    large: '512-544/16',
    small: '0-96/16 112-544/16',
    used: '0-96/16 112-544/16 1028-1044/1',
  },
  {
    what: 'MADV_DONTNEED of a part',
    change: (system) => system.cpus[0].madvise(system.part(100), 20, Madvise.DontNeed),
    large: WHOLE_LARGE,
    small: WHOLE_SMALL,
    used: WHOLE_SMALL,
    usedLarge: WHOLE_LARGE,
  },
];

describe.each(['n1', 'one-to-one'] as const)('ranges that two devices use, layout %s', (layout) => {
  const mirrors = layout === 'n1' ? 1 : 2;
  const both = (ranges: string): string[] => Array.from({ length: mirrors }, () => ranges);

  it.each(splits)('after $what', ({ change, large, small, used, usedLarge }) => {
    for (const chunks of [LARGE, SMALL]) {
      const system = new Splits(layout, chunks);
      for (const device of [0, 1]) system.touch(device);
      expect(system.ranges).toEqual(both(chunks === LARGE ? WHOLE_LARGE : WHOLE_SMALL));
      expect(system.run(change(system))).toBe(Errno.OK);
      expect(system.ranges).toEqual(both(chunks === LARGE ? large : small));
      // The first pass may take away ranges of pages behind it.
      for (const device of [0, 1, 0, 1]) system.touch(device);
      expect(system.ranges).toEqual(both(chunks === LARGE ? (usedLarge ?? used) : used));
      system.tearDown();
    }
  });
});

describe('ranges of one device around what another device binds over the middle', () => {
  const bind = (system: Splits, device: number): Errno => {
    const gpu = system.coordinator.gpus[device];
    const span = { start: AREA + 100, end: AREA + 120 };
    const vm = system.coordinator.vmOf(gpu).deviceVm(gpu);
    return system.run(vm.bindUserptr(span, vpn(AREA))).errno;
  };

  it('make way for smaller ones that end there when both share the mirror', () => {
    for (const chunks of [LARGE, SMALL]) {
      const system = new Splits('n1', chunks);
      system.touch(0);
      expect(bind(system, 1)).toBe(Errno.OK);
      expect(system.ranges).toEqual([chunks === LARGE ? '512-544/16' : '0-96/16 128-544/16']);
      system.touch(0);
      expect(system.ranges).toEqual(['0-96/16 96-128/1 128-544/16']);
    }
  });

  it('stay as they are when each device has a mirror of its own', () => {
    for (const chunks of [LARGE, SMALL]) {
      const whole = chunks === LARGE ? WHOLE_LARGE : WHOLE_SMALL;
      const system = new Splits('one-to-one', chunks);
      system.touch(0);
      expect(bind(system, 1)).toBe(Errno.OK);
      system.touch(0);
      expect(system.ranges).toEqual([whole, '']);
      system.touch(1);
      expect(system.ranges).toEqual([whole, '0-96/16 96-100/1 120-128/1 128-544/16']);
    }
  });

  it.each(['n1', 'one-to-one'] as const)(
    'are in the way of a bind of their own device, layout %s',
    (layout) => {
      for (const chunks of [LARGE, SMALL]) {
        const system = new Splits(layout, chunks);
        system.touch(0);
        expect(bind(system, 0)).toBe(Errno.EBUSY);
        expect(system.ranges[0]).toBe(chunks === LARGE ? WHOLE_LARGE : WHOLE_SMALL);
      }
    },
  );
});
