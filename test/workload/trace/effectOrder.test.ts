/** Overlapping calls stand in an order in which they can have taken effect. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { vpn } from '../../../src/base/units.js';
import { effectPointOf } from '../../../src/workload/trace/decodeMmCall.js';
import { type DraftEvent, EffectOrder, type Place } from '../../../src/workload/trace/effectOrder.js';
import type { MmCall } from '../../../src/workload/trace/mmCall.js';

const event = (line: number, call: MmCall): DraftEvent => ({ pid: 1, atUs: 0, line, call, errno: null });
const munmap = (start: number): MmCall => ({ kind: 'munmap', start: vpn(start), npages: 1 });
const remap = (from: number, to: number): MmCall => ({
  kind: 'mremap',
  from: vpn(from),
  fromPages: 1,
  toPages: 1,
  flags: { mayMove: true, fixed: false, dontUnmap: false },
  target: null,
  result: vpn(to),
});
const givesPage = (page: number) => ({ start: page, end: page + 1 });
const linesOf = (order: EffectOrder) => order.events().map(({ line }) => line);

describe('effect order', () => {
  it('is the order of the starts for calls that stand where they start', () => {
    const order = new EffectOrder();
    const first = order.begin('start', null);
    const second = order.begin('start', null);
    order.end(second, event(2, munmap(2)));
    order.end(first, event(1, munmap(1)));
    expect(linesOf(order)).toEqual([1, 2]);
  });

  it('is the order of the ends for calls that stand where they end', () => {
    const order = new EffectOrder();
    const first = order.begin('end', null);
    const second = order.begin('end', null);
    order.end(second, event(2, munmap(2)));
    order.end(first, event(1, munmap(1)));
    expect(linesOf(order)).toEqual([2, 1]);
  });

  it('puts a call that moves pages before the one that was handed the old ones', () => {
    const order = new EffectOrder();
    const mover = order.begin('end', givesPage(10));
    const other = order.begin('end', givesPage(20));
    order.end(order.begin('end', null), event(3, remap(1, 30)));
    order.end(order.begin('end', null), event(4, remap(2, 10)));
    order.end(other, event(2, remap(20, 40)));
    order.end(mover, event(1, remap(10, 50)));
    expect(linesOf(order)).toEqual([3, 1, 4, 2]);
  });

  it('follows a chain of moves, each into what the one before it left', () => {
    const order = new EffectOrder();
    const first = order.begin('end', givesPage(10));
    const second = order.begin('end', givesPage(20));
    const third = order.begin('end', givesPage(30));
    order.end(third, event(3, remap(30, 20)));
    order.end(second, event(2, remap(20, 10)));
    order.end(first, event(1, remap(10, 40)));
    expect(linesOf(order)).toEqual([1, 2, 3]);
  });

  it('remembers what was given back for as long as the call that was handed it takes', () => {
    const order = new EffectOrder();
    const taker = order.begin('end', givesPage(10));
    const giver = order.begin('end', givesPage(20));
    order.end(order.begin('end', null), event(3, remap(1, 10)));
    order.end(giver, event(1, remap(20, 30)));
    for (let i = 0; i < 50; i++) order.end(order.begin('end', givesPage(100)), event(4, remap(100, 100)));
    order.end(taker, event(2, remap(10, 20)));
    expect(linesOf(order).slice(0, 3)).toEqual([1, 2, 3]);
  });

  it('has no place for a call that never ended, nor for what it would have moved', () => {
    const order = new EffectOrder();
    order.abandon(order.begin('start', null));
    order.abandon(order.begin('end', givesPage(10)));
    order.end(order.begin('end', null), event(1, remap(1, 10)));
    expect(linesOf(order)).toEqual([1]);
  });
});

const PAGES = 6;
type Op = 'mmap' | 'munmap' | 'mremap' | 'mprotect';

/** A call under way in the model; `to` is known from the moment that it has taken effect. */
interface Running {
  readonly op: Op;
  readonly place: Place;
  readonly line: number;
  readonly from: number;
  to: number | null;
  tookEffect: boolean;
}

/** Threads over few pages: each step starts a call, lets it take effect at the lowest free page, or ends it. */
class Machine {
  readonly order = new EffectOrder();
  private readonly running = new Map<number, Running>();
  private readonly owned = new Map<number, number[]>();
  private readonly mapped = new Set<number>();
  private line = 0;

  step(thread: number, op: Op): void {
    const call = this.running.get(thread);
    if (call === undefined) this.start(thread, op);
    else if (!call.tookEffect) this.takeEffect(call);
    else this.end(thread, call);
  }

  /** Takes a call that is under way one step on. */
  finish(thread: number): void {
    if (this.running.has(thread)) this.step(thread, 'mmap');
  }

  private start(thread: number, wished: Op): void {
    const own = this.owned.get(thread) ?? [];
    const op = own.length === 0 ? 'mmap' : wished;
    const from = op === 'mmap' ? -1 : (own.shift() ?? -1);
    this.owned.set(thread, own);
    const place = this.order.begin(effectPointOf(op), op === 'mremap' ? givesPage(from) : null);
    this.running.set(thread, { op, place, line: this.line++, from, to: null, tookEffect: false });
  }

  private takeEffect(call: Running): void {
    const free = Array.from({ length: PAGES }, (_, page) => page).find((page) => !this.mapped.has(page));
    const takes = call.op === 'mmap' || call.op === 'mremap';
    if (takes && free === undefined) return;
    if (takes) call.to = free ?? null;
    if (call.op === 'munmap' || call.op === 'mremap') this.mapped.delete(call.from);
    if (call.to !== null) this.mapped.add(call.to);
    call.tookEffect = true;
  }

  private end(thread: number, call: Running): void {
    this.running.delete(thread);
    this.order.end(call.place, event(call.line, callOf(call)));
    const keeps = call.op === 'mprotect' ? call.from : call.to;
    if (keeps !== null) this.owned.get(thread)?.push(keeps);
  }
}

function callOf({ op, from, to }: Running): MmCall {
  const prot = { read: true, write: false, exec: false };
  if (op === 'munmap') return munmap(from);
  if (op === 'mprotect') return { kind: 'mprotect', start: vpn(from), npages: 1, prot, growsDown: false };
  if (op === 'mremap') return remap(from, to ?? 0);
  return {
    kind: 'mmap',
    hint: null,
    npages: 1,
    prot,
    flags: {
      shared: false,
      anonymous: true,
      fixed: false,
      noReplace: false,
      noreserve: false,
      stack: false,
      growsDown: false,
      populate: false,
      locked: false,
      hugetlb: false,
    },
    fd: -1,
    offsetPages: 0,
    result: vpn(to ?? 0),
  };
}

/** Replays the order on an empty address space; the first event that cannot have happened there, or null. */
function firstImpossible(events: readonly DraftEvent[]): DraftEvent | null {
  const mapped = new Set<number>();
  for (const each of events) {
    const { call } = each;
    const needs = call.kind === 'mremap' ? call.from : 'start' in call ? call.start : null;
    if (needs !== null && !mapped.has(needs)) return each;
    if (needs !== null && call.kind !== 'mprotect') mapped.delete(needs);
    const takes = call.kind === 'mmap' || call.kind === 'mremap' ? call.result : null;
    if (takes !== null && mapped.has(takes)) return each;
    if (takes !== null) mapped.add(takes);
  }
  return null;
}

describe('calls of threads that hand pages to one another', () => {
  it('stand in an order that an address space can have seen', () => {
    const ops = fc.constantFrom<Op>('mmap', 'munmap', 'mremap', 'mprotect');
    const schedule = fc.array(fc.tuple(fc.integer({ min: 0, max: 3 }), ops), {
      minLength: 40,
      maxLength: 200,
    });
    fc.assert(
      fc.property(schedule, (steps) => {
        const machine = new Machine();
        for (const [thread, op] of steps) machine.step(thread, op);
        // What is still under way ends, so that nothing that took effect is missing.
        for (let round = 0; round < 2 * PAGES; round++) {
          for (let thread = 0; thread < 4; thread++) machine.finish(thread);
        }
        expect(firstImpossible(machine.order.events())).toBeNull();
      }),
      { numRuns: 500 },
    );
  });
});
