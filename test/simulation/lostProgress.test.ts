/** Lost progress: who gets nothing done, and which waits may last. */

import { describe, expect, it } from 'vitest';
import { impatientWait, LostProgress } from '../../src/simulation/lostProgress.js';

describe('lost progress', () => {
  it('is that of an actor that has taken no step for the time', () => {
    const watch = new LostProgress(2, 100);
    expect(watch.look(0, [1, 1])).toEqual([]);
    expect(watch.look(60, [2, 1])).toEqual([]);
    expect(watch.look(100, [3, 1])).toEqual([1]);
    expect(watch.look(130, [3, 1])).toEqual([]);
    expect(watch.look(200, [3, 1])).toEqual([0, 1]);
  });

  it('is no less lost where less of it was seen', () => {
    const watch = new LostProgress(1, 100);
    watch.look(0, [5]);
    expect(watch.look(50, [3])).toEqual([]);
    expect(watch.look(90, [5])).toEqual([]);
    expect(watch.look(100, [4])).toEqual([0]);
  });

  it('is forgiven where everybody was held', () => {
    const watch = new LostProgress(1, 100);
    watch.look(0, [5]);
    watch.forgive(90);
    expect(watch.look(150, [5])).toEqual([]);
    expect(watch.look(190, [5])).toEqual([0]);
  });

  it.each([
    'program#1 waits for the end of cpu0.parallel (after sim.park)',
    'cpu0.parallel.1#7 waits for a reply of the coordinator to cpu.launch, held by launch#9 (after sim.call)',
    'program#1 waits for time (after workload.call)',
  ])('is no matter of %s', (line) => {
    expect(impatientWait([line])).toBe(null);
  });

  it.each([
    'cpu0.parallel.0#6 waits for a reply of the coordinator to cpu.munmap (after sim.call)',
    'workload0.3#12 waits for an answer to a fault of gpu0, held by gpu0.fault#31 (after device.contextBlocked)',
    'fault#4 waits for mmap_lock of mm 1 for write, held by fault#9 for read (after driver.fault)',
  ])('is one of %s', (line) => {
    expect(impatientWait(['program#1 waits for time (after x)', line])).toBe(line);
  });
});
