/** The scan of a range: where its pages are, without moving any. */

import { beforeEach, describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { vpn } from '../../../src/base/units.js';
import { AllocSite, FailureInjector } from '../../../src/memory/failureInjector.js';
import { HmmStep } from '../../../src/mm/mirror/hmm.js';
import { DrmMachine, NO_OWNER, TestDriver } from '../harness.js';

const AREA = 0x1000;

let drm: DrmMachine;
let driver: TestDriver;

beforeEach(() => {
  drm = new DrmMachine();
  driver = new TestDriver(drm, { chunkPages: [4, 1] });
});

/** `s`: RAM; `z`: the zero page; `-`: nothing; a digit: that device. */
function place(layout: string): void {
  drm.map(AREA, 4);
  for (const [i, kind] of [...layout].entries()) {
    if (kind === '-') continue;
    if (kind === 'z') drm.run(drm.cpu.load(AREA + i));
    else drm.touch(AREA + i);
    if (kind === '0' || kind === '1')
      expect(drm.run(drm.gpus[Number(kind)].migrateHere(AREA + i, 1))).toBe(Errno.OK);
  }
}

function scan(owner = drm.gpus[0].dpagemap.pagemap.owner): string {
  const range = driver.rangeAt(AREA);
  const before = drm.places(AREA, 4);
  const result = drm.run(drm.scan.scan(driver.gpusvm, range, owner, drm.gpus[0].dpagemap));
  expect(drm.places(AREA, 4)).toEqual(before);
  return result;
}

describe('a scan for device 0', () => {
  it.each([
    ['0000', 'equal'],
    ['1111', 'other'],
    ['ssss', 'system'],
    ['sszz', 'system'],
    ['0011', 'mixed-device'],
    ['00ss', 'mixed'],
    ['0s1s', 'mixed'],
    ['000-', 'unpopulated'],
    ['----', 'unpopulated'],
  ])('of %s says %s', (layout, result) => {
    place(layout);
    expect(scan()).toBe(result);
  });

  it('does not see the pages of strangers', () => {
    place('0000');
    expect(scan(NO_OWNER)).toBe('unpopulated');
  });

  it('says nothing about a range that is no longer mapped', () => {
    place('ssss');
    const range = driver.rangeAt(AREA);
    drm.run(drm.machine.calls.memoryMap.munmap(drm.mm, vpn(AREA), 1));
    const result = drm.run(drm.scan.scan(driver.gpusvm, range, NO_OWNER, drm.gpus[0].dpagemap));
    expect(result).toBe('unpopulated');
  });

  it('says nothing without memory for a look', () => {
    place('0000');
    driver.rangeAt(AREA);
    const injector = new FailureInjector();
    drm.kernel.injectFailures(injector);
    injector.failNext(AllocSite.MirrorObject);
    expect(scan()).toBe('unpopulated');
    drm.kernel.injectFailures(null);
    expect(scan()).toBe('equal');
  });

  it('looks again at what an invalidation has made stale', () => {
    place('ssss');
    const { interval } = driver.rangeAt(AREA).notifier;
    let left = 1;
    let walks = 0;
    drm.kernel.sched.observer = {
      onStep: (_task, step) => {
        if (step === HmmStep.done) walks++;
        if (step === HmmStep.done && left-- > 0) interval.setSeq(interval.invalidateSeq + 2);
      },
    };
    expect(scan()).toBe('system');
    expect(walks).toBe(2);
  });
});
