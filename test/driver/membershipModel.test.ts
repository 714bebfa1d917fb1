/** Whatever order devices join, leave and use memory in: ranges have the parts that a plain model says, and nothing leaks. */

import fc from 'fast-check';
import { describe, it } from 'vitest';
import { assert } from '../../src/base/assert.js';
import { Errno } from '../../src/base/errno.js';
import { vpn } from '../../src/base/units.js';
import { stayInRam } from '../../src/driver/placement.js';
import { MapFlag, Prot } from '../../src/mm/area/mmap.js';
import { load, System } from './harness.js';

const AREA = 0x1000;
const RANGE_PAGES = 16;
const RANGES = 4;
const DEVICES = 4;

type Layout = 'n1' | 'n1-shared-fault';
type Op =
  | { readonly kind: 'join' | 'leave'; readonly device: number }
  | { readonly kind: 'touch'; readonly device: number; readonly range: number }
  | { readonly kind: 'unmap' | 'map'; readonly range: number };

const device = fc.nat(DEVICES - 1);
const range = fc.nat(RANGES - 1);
const op: fc.Arbitrary<Op> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('join', 'leave'), device }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('touch' as const), device, range }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('unmap', 'map'), range }) },
);

/** Says what every operation replies, and who has a part in each range afterwards. */
class Model {
  members = new Set(Array.from({ length: DEVICES }, (_, i) => i));
  /** Null: there is no range. */
  readonly parts: (number[] | null)[] = Array.from({ length: RANGES }, () => null);
  readonly mapped: boolean[] = Array.from({ length: RANGES }, () => true);

  constructor(private readonly layout: Layout) {}

  apply(one: Op): Errno {
    switch (one.kind) {
      case 'join':
        return this.join(one.device);
      case 'leave':
        return this.leave(one.device);
      case 'touch':
        return this.touch(one.device, one.range);
      case 'unmap':
        this.mapped[one.range] = false;
        this.parts[one.range] = null;
        return Errno.OK;
      case 'map':
        this.mapped[one.range] = true;
        // What was there before is unmapped first.
        this.parts[one.range] = null;
        return Errno.OK;
    }
  }

  private join(newcomer: number): Errno {
    if (this.members.has(newcomer)) return Errno.EEXIST;
    this.members.add(newcomer);
    this.parts.forEach((parts, i) => {
      if (parts !== null) this.parts[i] = this.all();
    });
    return Errno.OK;
  }

  private leave(leaver: number): Errno {
    if (!this.members.delete(leaver)) return Errno.ENODEV;
    this.parts.forEach((parts, i) => {
      const left = (parts ?? []).filter((one) => one !== leaver);
      this.parts[i] = left.length === 0 ? null : left;
    });
    return Errno.OK;
  }

  private touch(user: number, at: number): Errno {
    if (!this.members.has(user)) return Errno.ENODEV;
    if (!this.mapped[at]) return Errno.EFAULT;
    const parts = this.parts[at];
    if (parts === null) this.parts[at] = this.layout === 'n1' ? [user] : this.all();
    else if (!parts.includes(user)) this.parts[at] = this.all();
    return Errno.OK;
  }

  private all(): number[] {
    return [...this.members].sort((a, b) => a - b);
  }
}

function carryOut(system: System, one: Op): Errno {
  const [cpu] = system.cpus;
  switch (one.kind) {
    case 'join':
    case 'leave':
      return system.run(cpu.setMembership(one.device, one.kind === 'join'));
    case 'touch': {
      const found = system.run(load(system.context(one.device), AREA + one.range * RANGE_PAGES));
      return found < 0 ? (found as Errno) : Errno.OK;
    }
    case 'unmap':
      return system.run(cpu.munmap(vpn(AREA + one.range * RANGE_PAGES), RANGE_PAGES));
    case 'map': {
      const start = vpn(AREA + one.range * RANGE_PAGES);
      system.run(cpu.mmap(start, RANGE_PAGES, Prot.Read | Prot.Write, MapFlag.Fixed));
      return Errno.OK;
    }
  }
}

function check(layout: Layout, ops: readonly Op[]): void {
  const system = new System({ devices: DEVICES, layout, policy: stayInRam });
  const model = new Model(layout);
  system.map(AREA, RANGES * RANGE_PAGES);
  for (const one of ops) {
    const expected = model.apply(one);
    const errno = carryOut(system, one);
    assert(errno === expected, () => `${JSON.stringify(one)} gave ${errno}, not ${expected}`);
    model.parts.forEach((parts, i) => {
      const found = system.rangeAt(AREA + i * RANGE_PAGES)?.parts.map(({ gpu }) => gpu.index) ?? null;
      const same = JSON.stringify(found) === JSON.stringify(parts);
      assert(same, () => `after ${JSON.stringify(one)}: range ${i} has ${found}, not ${parts}`);
    });
  }
  system.checkAtRest();
  system.tearDown();
}

describe('joining and leaving, against a model', () => {
  it.each(['n1', 'n1-shared-fault'] as const)(
    'gives every range the right parts with layout %s',
    (layout) => {
      fc.assert(
        fc.property(fc.array(op, { maxLength: 40 }), (ops) => check(layout, ops)),
        { numRuns: 40, seed: 7 },
      );
    },
  );
});
