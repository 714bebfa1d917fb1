/** The SVM attribute ioctl of KFD: defaults, what spans have in common, and what is refused. */

import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { RangeMap } from '../../../src/base/rangeMap.js';
import { vpn } from '../../../src/base/units.js';
import { devicesIn } from '../../../src/driver/attributes/deviceMask.js';
import { KfdSvm, SvmAccess, type SvmChange } from '../../../src/driver/attributes/kfdSvm.js';
import { Location } from '../../../src/driver/attributes/location.js';
import { SvmFlag, sameAttributes } from '../../../src/driver/attributes/svmAttributes.js';

let kfd: KfdSvm;
const apply = (start: number, end: number, ...changes: SvmChange[]): void =>
  kfd.apply(vpn(start), vpn(end), changes);
const report = (start: number, end: number): ReturnType<KfdSvm['report']> => kfd.report(vpn(start), vpn(end));

beforeEach(() => {
  kfd = new KfdSvm(new RangeMap(sameAttributes), 2);
});

describe('memory that nobody has registered', () => {
  it('may be accessed by every device where faults are served, and by none where not', () => {
    expect(kfd.accessOf(report(0, 4), 1)).toBe(SvmAccess.Access);
    kfd.xnackEnabled = false;
    expect(kfd.accessOf(report(0, 4), 1)).toBe(SvmAccess.None);
  });

  it('belongs nowhere, is coherent and visible to the host, and migrates in pieces of 2 MiB', () => {
    const { preferred, prefetched, flags, granularity } = report(0, 4);
    expect({ preferred, prefetched }).toEqual({
      preferred: Location.Undefined,
      prefetched: Location.Undefined,
    });
    expect(flags).toBe(SvmFlag.HostAccess | SvmFlag.Coherent);
    expect(granularity).toBe(9);
  });
});

describe('registered memory', () => {
  it('keeps its access rights when the mode changes later', () => {
    apply(0, 4, { kind: 'granularity', order: 3 });
    kfd.xnackEnabled = false;
    expect(devicesIn(report(0, 4).access)).toEqual([0, 1]);
  });

  it('reports a place only if all ranges name it, and memory in between does not count', () => {
    apply(0, 4, { kind: 'prefetch', place: Location.System });
    apply(2, 4, { kind: 'prefetch', place: 0 });
    expect(report(2, 4).prefetched).toBe(0);
    expect(report(0, 4).prefetched).toBe(Location.Undefined);
    expect(report(0, 2).prefetched).toBe(Location.System);
    apply(10, 12, { kind: 'prefetch', place: 0 });
    expect(report(2, 12).prefetched).toBe(0);
  });

  it('has the flags and rights of all its ranges, and the smallest granularity', () => {
    apply(0, 2, { kind: 'setFlags', flags: SvmFlag.GpuExec }, { kind: 'granularity', order: 200 });
    apply(2, 4, { kind: 'clearFlags', flags: SvmFlag.Coherent });
    apply(2, 4, { kind: 'access', device: 1, access: SvmAccess.InPlace });
    const all = report(0, 4);
    expect(all.flags).toBe(SvmFlag.HostAccess);
    expect(all.flagsOfAny).toBe(SvmFlag.HostAccess | SvmFlag.Coherent | SvmFlag.GpuExec);
    expect(all.granularity).toBe(9);
    expect(report(0, 2).granularity).toBe(63);
    expect(kfd.accessOf(all, 0)).toBe(SvmAccess.Access);
    expect(kfd.accessOf(all, 1)).toBe(SvmAccess.None);
    expect(kfd.accessOf(report(2, 4), 1)).toBe(SvmAccess.InPlace);
  });

  it('names a device in one set of rights at most, after whatever was asked', () => {
    const access = fc.constantFrom(SvmAccess.Access, SvmAccess.InPlace, SvmAccess.None);
    const one = fc.record({ start: fc.nat(6), device: fc.nat(1), access });
    fc.assert(
      fc.property(fc.array(one), (requests) => {
        const fresh = new KfdSvm(new RangeMap(sameAttributes), 2);
        const naive = new Map<string, SvmAccess>();
        for (const { start, device, access } of requests) {
          fresh.apply(vpn(start), vpn(start + 2), [{ kind: 'access', device, access }]);
          for (const page of [start, start + 1]) naive.set(`${page}.${device}`, access);
        }
        for (let page = 0; page < 8; page++) {
          const seen = fresh.report(vpn(page), vpn(page + 1));
          expect(seen.access & seen.inPlace).toBe(0n);
          for (const device of [0, 1]) {
            const expected = naive.get(`${page}.${device}`) ?? SvmAccess.Access;
            expect(fresh.accessOf(seen, device)).toBe(expected);
          }
        }
      }),
    );
  });
});

describe('a request', () => {
  it('is refused for a device that the process does not have', () => {
    expect(kfd.check([{ kind: 'preferred', place: 1 }])).toBe(Errno.OK);
    expect(kfd.check([{ kind: 'preferred', place: 2 }])).toBe(Errno.EINVAL);
    expect(kfd.check([{ kind: 'prefetch', place: 7 }])).toBe(Errno.EINVAL);
    expect(kfd.check([{ kind: 'access', device: 2, access: SvmAccess.None }])).toBe(Errno.EINVAL);
  });

  it('may say that memory prefers no place, but not prefetch it there', () => {
    expect(kfd.check([{ kind: 'preferred', place: Location.Undefined }])).toBe(Errno.OK);
    expect(kfd.check([{ kind: 'prefetch', place: Location.Undefined }])).toBe(Errno.EINVAL);
  });
});
