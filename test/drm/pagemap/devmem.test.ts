/** Device memory and what its pages point to: who holds it, and what happens when the last one lets go. */

import { beforeEach, describe, expect, it } from 'vitest';
import { type Devmem, releaseDevmem, type Zdd, ZddTable } from '../../../src/drm/pagemap/devmem.js';
import { DrmMachine, type TestGpu } from '../harness.js';

let drm: DrmMachine;
let gpu: TestGpu;
let zdds: ZddTable;

beforeEach(() => {
  drm = new DrmMachine();
  [gpu] = drm.gpus;
  zdds = new ZddTable();
});

/** Zone device data that owns an allocation, as after a migration. */
function filled(): { zdd: Zdd; devmem: Devmem } {
  const zdd = zdds.create(gpu.dpagemap);
  const devmem = gpu.allocate(4);
  zdd.devmem = devmem;
  return { zdd, devmem };
}

describe('zone device data', () => {
  it('has numbers that folios can hold, and is found by them', () => {
    const [first, second] = [zdds.create(gpu.dpagemap), zdds.create(gpu.dpagemap)];
    expect([first.id > 0, first.id === second.id, zdds.get(second.id), zdds.live]).toEqual([
      true,
      false,
      second,
      2,
    ]);
    expect([...zdds]).toEqual([first, second]);
    expect(zdds.find(4711)).toBe(null);
    expect(() => zdds.get(4711)).toThrow('does not exist');
  });

  it('holds the pagemap until the last reference', () => {
    const zdd = zdds.create(gpu.dpagemap);
    zdd.refs++;
    expect(gpu.dpagemap.references).toBe(2);
    zdds.put(zdd);
    expect([gpu.dpagemap.references, zdds.live]).toEqual([2, 1]);
    zdds.put(zdd);
    expect([gpu.dpagemap.references, zdds.live]).toEqual([1, 0]);
    expect(() => zdds.put(zdd)).toThrow('once too often');
  });

  it('gives the memory back with the last reference, and tells who waits for that', () => {
    const { zdd, devmem } = filled();
    expect([devmem.detached.isDone, gpu.released]).toEqual([false, []]);
    zdds.put(zdd);
    expect([devmem.detached.isDone, devmem.released, gpu.released]).toEqual([true, true, [devmem]]);
    expect(gpu.vram.usedPages).toBe(0);
  });

  it('L6: is waited for by nobody who has a reference', () => {
    const { zdd, devmem } = filled();
    const { sched } = drm.kernel;
    const waitFor = (holds: boolean): void => {
      drm.run(
        (function* () {
          if (holds) zdds.hold(zdd, sched.self);
          zdds.put(zdd);
          yield* devmem.detached.wait();
        })(),
      );
    };
    expect(() => waitFor(true)).toThrow('wait for detach: ');
    expect(devmem.detached.isDone).toBe(false);
  });

  it('goes when the task that used it lets go', () => {
    const { zdd, devmem } = filled();
    const { sched } = drm.kernel;
    drm.run(
      (function* () {
        zdds.hold(zdd, sched.self);
        zdds.put(zdd);
        expect(devmem.detached.isDone).toBe(false);
        zdds.letGo(zdd, sched.self);
        yield* devmem.detached.wait();
      })(),
    );
    expect([devmem.detached.isDone, devmem.users]).toEqual([true, []]);
  });

  it('that never got memory gives none back', () => {
    zdds.put(zdds.create(gpu.dpagemap));
    expect(gpu.released).toEqual([]);
  });

  it('is released once', () => {
    const { zdd, devmem } = filled();
    zdds.put(zdd);
    expect(() => releaseDevmem(devmem)).toThrow('released twice');
  });
});

describe('a pagemap', () => {
  it('counts who refers to it', () => {
    const { dpagemap } = gpu;
    expect(dpagemap.get()).toBe(dpagemap);
    dpagemap.put();
    expect(dpagemap.references).toBe(1);
    dpagemap.put();
    expect(() => dpagemap.put()).toThrow('once too often');
    expect(() => dpagemap.get()).toThrow('is gone');
  });
});
