/** What is printed as strace prints it, calls of several threads cutting each other short at random, reads back as it was. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { vpn } from '../../../src/base/units.js';
import {
  ADVICE_NUMBERS,
  type Advice,
  type MmCall,
  type MmEvent,
} from '../../../src/workload/trace/mmCall.js';
import { parseStrace } from '../../../src/workload/trace/parseStrace.js';
import { type FlagStyle, printCall } from './printStrace.js';

const FIRST_PID = 1000;
const THREADS = 4;
/** Each thread keeps to pages of its own: what threads hand to one another is the subject of the tests of the effect order. */
const REGION_PAGES = 2 ** 24;
const START_SECONDS = 1_795_212_017;
const ADVICES: readonly Advice[] = [
  ...(Object.keys(ADVICE_NUMBERS) as (keyof typeof ADVICE_NUMBERS)[]),
  'unknown',
];

/** One call, where and how it is printed. */
interface Step {
  readonly thread: number;
  readonly call: MmCall;
  readonly errno: string | null;
  readonly style: FlagStyle;
  readonly slackBytes: number;
  /** Printed as unfinished, and resumed before the thread's next call. */
  readonly isCut: boolean;
  readonly gapUs: number;
}

const page = fc.integer({ min: 0, max: REGION_PAGES - 1 });
const npages = fc.integer({ min: 1, max: 70_000 });
const prot = fc.record({ read: fc.boolean(), write: fc.boolean(), exec: fc.boolean() });
const mapFlags = fc.record({
  shared: fc.boolean(),
  anonymous: fc.boolean(),
  fixed: fc.boolean(),
  noReplace: fc.boolean(),
  noreserve: fc.boolean(),
  stack: fc.boolean(),
  growsDown: fc.boolean(),
  populate: fc.boolean(),
  locked: fc.boolean(),
  hugetlb: fc.boolean(),
});
const remapFlags = fc.record({ mayMove: fc.boolean(), fixed: fc.boolean(), dontUnmap: fc.boolean() });
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null });
const child = fc.integer({ min: 5000, max: 5999 });
const breakBytes = fc.integer({ min: 1, max: 2 ** 46 });

/** Calls of one thread; `at` moves a page into the thread's region. */
function callsOf(thread: number): fc.Arbitrary<MmCall> {
  const here = page.map((index) => vpn((thread + 1) * 2 * REGION_PAGES + index));
  return fc.oneof(
    fc.record({
      kind: fc.constant('mmap' as const),
      hint: maybe(here),
      npages,
      prot,
      flags: mapFlags,
      fd: fc.integer({ min: -1, max: 9 }),
      offsetPages: page,
      result: here,
    }),
    fc.record({ kind: fc.constant('munmap' as const), start: here, npages }),
    fc.record({ kind: fc.constant('mprotect' as const), start: here, npages, prot, growsDown: fc.boolean() }),
    fc.record({
      kind: fc.constant('madvise' as const),
      start: here,
      npages,
      advice: fc.constantFrom(...ADVICES),
    }),
    fc.record({
      kind: fc.constant('mremap' as const),
      from: here,
      fromPages: npages,
      toPages: npages,
      flags: remapFlags,
      target: maybe(here),
      result: here,
    }),
    fc.record({ kind: fc.constant('brk' as const), requestBytes: maybe(breakBytes), breakBytes }),
    fc.record({ kind: fc.constantFrom('fork' as const, 'vfork' as const, 'thread' as const), child }),
    fc.record({ kind: fc.constant('exec' as const), path: fc.constantFrom('/bin/a', '/a b/(c)', 'x\\"y') }),
  );
}

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.integer({ min: 0, max: THREADS - 1 }).chain((thread) =>
    fc
      .record({
        thread: fc.constant(thread),
        call: callsOf(thread),
        errno: fc.option(fc.constantFrom('ENOMEM', 'EINVAL', 'EAGAIN'), { nil: null, freq: 4 }),
        style: fc.constantFrom<FlagStyle>('symbols', 'numbers', 'explained', 'mixed'),
        slackBytes: fc.integer({ min: 0, max: 4095 }),
        isCut: fc.boolean(),
        gapUs: fc.integer({ min: 0, max: 2_000_000 }),
      })
      .map(withoutResultIfFailed),
  ),
  { minLength: 1, maxLength: 60 },
);

/** A failed call has no result, and brk cannot fail. */
function withoutResultIfFailed(step: Step): Step {
  const { call } = step;
  if (call.kind === 'brk') return { ...step, errno: null };
  if (step.errno === null) return step;
  if (call.kind === 'mmap' || call.kind === 'mremap') return { ...step, call: { ...call, result: null } };
  if (call.kind === 'fork' || call.kind === 'vfork' || call.kind === 'thread')
    return { ...step, call: { ...call, child: null } };
  return step;
}

/** The lines of the trace, and the events in the order in which they must come back. */
class Recording {
  readonly lines: string[] = [];
  private readonly open = new Map<number, { step: Step; event: MmEvent; resumed: string }>();
  private readonly done: { event: MmEvent; stands: number }[] = [];
  private nowUs = 0;

  play(step: Step): void {
    this.resume(step.thread);
    this.nowUs += step.gapUs;
    const { name, args, tail } = printCall(step.call, step.errno, step.style, step.slackBytes);
    const line = this.print(
      step.thread,
      step.isCut ? `${name}(${args} <unfinished ...>` : `${name}(${args}${tail}`,
    );
    const event = {
      pid: FIRST_PID + step.thread,
      atUs: this.nowUs,
      line,
      call: step.call,
      errno: step.errno,
    };
    if (step.isCut) this.open.set(step.thread, { step, event, resumed: `<... ${name} resumed>${tail}` });
    else this.done.push({ event, stands: line });
  }

  resume(thread: number): void {
    const cut = this.open.get(thread);
    if (cut === undefined) return;
    this.open.delete(thread);
    const end = this.print(thread, cut.resumed);
    const standsAtEnd = ['mmap', 'mremap', 'brk', 'exec'].includes(cut.step.call.kind);
    this.done.push({ event: cut.event, stands: standsAtEnd ? end : cut.event.line });
  }

  events(): readonly MmEvent[] {
    const firstUs = Math.min(...this.done.map(({ event }) => event.atUs));
    return this.done
      .sort((a, b) => a.stands - b.stands)
      .map(({ event }) => ({ ...event, atUs: event.atUs - firstUs }));
  }

  private print(thread: number, text: string): number {
    const seconds = START_SECONDS + Math.floor(this.nowUs / 1e6);
    const micros = `${this.nowUs % 1e6}`.padStart(6, '0');
    return this.lines.push(`${FIRST_PID + thread} ${seconds}.${micros} ${text}`);
  }
}

describe('a trace', () => {
  it('reads back as it was printed', () => {
    fc.assert(
      fc.property(steps, (list) => {
        const recording = new Recording();
        recording.play(BREAK);
        for (const step of list) recording.play(step);
        for (let thread = 0; thread < THREADS; thread++) recording.resume(thread);
        const trace = parseStrace(`${recording.lines.join('\n')}\n`, 'printed');
        expect(trace.events).toEqual(recording.events());
        expect(trace.ignored.size).toBe(0);
        expect(new Set(trace.pids)).toEqual(new Set(trace.events.map(({ pid }) => pid)));
      }),
      { numRuns: 300 },
    );
  });
});

/** A trace has at least one memory call. */
const BREAK: Step = {
  thread: 0,
  call: { kind: 'brk', requestBytes: null, breakBytes: 4096 },
  errno: null,
  style: 'symbols',
  slackBytes: 0,
  isCut: false,
  gapUs: 0,
};
