/** Follows the threads of a trace from line to line: joins calls that were cut, and keeps what concerns memory as events. */

import { decodeMmCall, effectPointOf, givenBackBy, isClone, isExit } from './decodeMmCall.js';
import { EffectOrder, type Place } from './effectOrder.js';
import type { MmCall, MmCallKind, MmEvent } from './mmCall.js';
import type { MmTrace } from './mmTrace.js';
import { StraceClock } from './straceClock.js';
import { readStraceLine, type StraceItem } from './straceLine.js';
import { type CallResult, parseResult } from './straceValue.js';
import { ThreadTimes } from './threadTimes.js';
import { TracedPids, UNNAMED_PID } from './tracedPids.js';
import { TraceError, type TraceLine } from './traceError.js';

/** strace announces a new or lost process in the middle of whatever line it is printing, and goes on after the line's end. */
const ANNOUNCED = /(?:strace: )?Process ([0-9]+) (attached|detached)(?: with [0-9]+ threads)?$/;

/** The call was interrupted before it did anything, and stands again further on. */
const RESTARTED = / = \? ERESTART/;

const MEMORY_KINDS: ReadonlySet<MmCallKind> = new Set([
  'mmap',
  'munmap',
  'mprotect',
  'madvise',
  'mremap',
  'brk',
]);

/** A call that has begun, and not ended so far. */
interface OpenCall {
  readonly name: string;
  args: string;
  readonly line: number;
  readonly atUs: number;
  readonly place: Place;
}

type BegunItem = Extract<StraceItem, { kind: 'begun' }>;

/** Lines go in one by one, in order; a TraceError ends it. */
export class StraceReader {
  private readonly clock = new StraceClock();
  private readonly times = new ThreadTimes();
  private readonly pids = new TracedPids();
  private readonly open = new Map<number, OpenCall>();
  /** Threads whose exit call is an event already, so that their end is none. */
  private readonly exiting = new Set<number>();
  private readonly ignored = new Map<string, number>();
  private withoutResult = 0;
  private readonly order = new EffectOrder();
  private lineNumber = 0;
  /** Where the item that is being read starts: before `lineNumber` when an announcement interrupted it. */
  private itemLine = 0;
  /** The line that an announcement interrupted, up to there. */
  private interrupted = '';
  /** Whom announcements named; they count after the line that they interrupted, which is an older process's. */
  private readonly announced: { readonly pid: number; readonly isNew: boolean }[] = [];
  private hasText = false;

  constructor(private readonly fileName: string) {}

  /** `line` has no line break at its end. */
  readLine(line: string): void {
    this.lineNumber++;
    if (line === '') return;
    this.hasText = true;
    if (this.interrupted === '') this.itemLine = this.lineNumber;
    const whole = this.interrupted + line;
    const announced = line.includes('Process ') ? ANNOUNCED.exec(whole) : null;
    this.interrupted = announced === null ? '' : whole.slice(0, announced.index);
    if (announced === null) {
      this.readWholeLine(whole);
    } else {
      this.announced.push({ pid: Number(announced[1]), isNew: announced[2] === 'attached' });
    }
    if (this.interrupted === '') this.admitAnnounced();
  }

  /** What the lines so far amount to. Call it once. */
  finish(): MmTrace {
    if (!this.hasText) throw new TraceError(this.where(1), 'an empty file', 'the output of strace -f -ttt');
    if (this.interrupted !== '') this.readWholeLine(this.interrupted);
    for (const [pid, call] of this.open) this.abandon(pid, call);
    const events = this.finishedEvents();
    if (!events.some(({ call }) => MEMORY_KINDS.has(call.kind))) {
      const lines = `${this.lineNumber} line${this.lineNumber === 1 ? '' : 's'} without any memory call`;
      throw new TraceError(
        this.where(this.lineNumber),
        lines,
        `a trace with at least one of ${[...MEMORY_KINDS].join(', ')}`,
      );
    }
    const { fileName, ignored, withoutResult } = this;
    const { backwards } = this.times;
    return { fileName, events, pids: this.pids.all(), ignored, withoutResult, backwards };
  }

  private readWholeLine(text: string): void {
    const { pid, stamp, item } = readStraceLine(text, this.where(this.itemLine));
    const atUs = this.clock.read(stamp);
    if (stamp !== '') this.times.follow(pid ?? UNNAMED_PID, { stamp, atUs }, this.where(this.itemLine));
    if (item.kind !== 'other') this.readItem(this.threadOf(pid, item), atUs, item);
  }

  private threadOf(named: number | null, item: StraceItem): number {
    if (named === null) return this.pids.ofUnnamed();
    const unnamed = this.open.get(UNNAMED_PID);
    const isNewborn = unnamed !== undefined && isClone(unnamed.name) && item.kind !== 'resumed';
    if (this.pids.name(named, isNewborn)) this.moveOpenCall(UNNAMED_PID, named);
    return named;
  }

  private admitAnnounced(): void {
    for (const { pid, isNew } of this.announced) {
      if (isNew) this.pids.born(pid);
      else this.pids.died(pid);
    }
    this.announced.length = 0;
  }

  private readItem(pid: number, atUs: number, item: StraceItem): void {
    if (item.kind === 'call') this.readCall(pid, atUs, item.name, item.rest);
    else if (item.kind === 'begun') this.readBegun(pid, atUs, item);
    else if (item.kind === 'resumed') this.resume(pid, item.name, item.rest, item.cut);
    else if (item.kind === 'ended') this.end(pid, atUs, item.status, item.signal);
    else if (item.kind === 'superseded') this.supersede(pid, item.byPid);
  }

  private readCall(pid: number, atUs: number, name: string, rest: string): void {
    this.abandonOpenCallOf(pid);
    this.close(pid, this.begin(name, '', atUs), rest);
  }

  private readBegun(pid: number, atUs: number, { name, rest, endsAs }: BegunItem): void {
    this.abandonOpenCallOf(pid);
    this.open.set(pid, this.begin(name, rest, atUs));
    if (endsAs !== null) this.supersede(endsAs, pid);
  }

  private begin(name: string, args: string, atUs: number): OpenCall {
    const place = this.order.begin(effectPointOf(name), givenBackBy(name, args));
    return { name, args, line: this.itemLine, atUs, place };
  }

  private resume(pid: number, name: string, rest: string, cut: boolean): void {
    const call = this.open.get(pid);
    if (call === undefined && effectPointOf(name) === null) {
      this.ignore(name);
      return;
    }
    if (call === undefined || call.name !== name) {
      const open = call === undefined ? 'no unfinished call' : `an unfinished ${call.name}`;
      throw new TraceError(
        this.where(this.itemLine),
        `<... ${name} resumed> of process ${pid}, which has ${open}`,
        'the end of a call that an earlier line leaves unfinished',
      );
    }
    if (cut) {
      call.args += rest;
      return;
    }
    this.open.delete(pid);
    this.close(pid, call, rest);
  }

  /** `rest` is what is left of the call: the remaining arguments, the bracket and the result. */
  private close(pid: number, call: OpenCall, rest: string): void {
    if (effectPointOf(call.name) === null) {
      this.ignore(call.name);
      return;
    }
    const { args, result } = this.splitResult(call, rest);
    if (isExit(call.name)) this.exit(pid, call, args);
    else if (result === null) this.dropUnknown(call, rest);
    else this.complete(pid, call, args, result);
  }

  private complete(pid: number, open: OpenCall, args: string, result: CallResult): void {
    const call = decodeMmCall({ name: open.name, args, result, where: this.where(open.line) });
    this.record(pid, open, call, result.errno);
    if ('child' in call && call.child !== null) this.pids.born(call.child);
  }

  private exit(pid: number, call: OpenCall, args: string): void {
    const result = { value: 0, errno: null };
    this.record(
      pid,
      call,
      decodeMmCall({ name: call.name, args, result, where: this.where(call.line) }),
      null,
    );
    this.exiting.add(pid);
    this.pids.died(pid);
  }

  private end(pid: number, atUs: number, status: number | null, signal: string | null): void {
    this.abandonOpenCallOf(pid);
    this.pids.died(pid);
    if (this.exiting.delete(pid)) return;
    const call: MmCall = { kind: 'exit', wholeProcess: false, status, signal };
    this.record(pid, this.begin('exit', '', atUs), call, null);
  }

  private record(pid: number, open: OpenCall, call: MmCall, errno: string | null): void {
    this.order.end(open.place, { pid, atUs: open.atUs, line: open.line, call, errno });
  }

  /** The thread `byPid` has exec'd, which ends all others and gives it the leader's id. */
  private supersede(leader: number, byPid: number): void {
    this.pids.died(byPid);
    this.moveOpenCall(byPid, leader);
  }

  private moveOpenCall(from: number, to: number): void {
    const call = this.open.get(from);
    this.open.delete(from);
    if (call === undefined) return;
    this.abandonOpenCallOf(to);
    this.open.set(to, call);
  }

  /** strace does not print the end of a call that a killed thread never returned from. */
  private abandonOpenCallOf(pid: number): void {
    const call = this.open.get(pid);
    if (call === undefined) return;
    this.open.delete(pid);
    this.abandon(pid, call);
  }

  private abandon(pid: number, call: OpenCall): void {
    if (isExit(call.name)) this.exit(pid, call, call.args);
    else this.dropUnknown(call, '');
  }

  private dropUnknown(call: OpenCall, rest: string): void {
    if (effectPointOf(call.name) !== null && !RESTARTED.test(rest)) this.withoutResult++;
    this.drop(call);
  }

  private drop(call: OpenCall): void {
    this.order.abandon(call.place);
    this.ignore(call.name);
  }

  private ignore(name: string): void {
    this.ignored.set(name, (this.ignored.get(name) ?? 0) + 1);
  }

  private splitResult(call: OpenCall, rest: string): { args: string; result: CallResult | null } {
    const equals = rest.lastIndexOf(' = ');
    const before = rest.slice(0, equals).trimEnd();
    if (!before.endsWith(')')) {
      throw new TraceError(
        this.where(call.line),
        `"${call.name}(${call.args}${rest}"`,
        `${call.name}(arguments) = result`,
      );
    }
    return {
      args: call.args + before.slice(0, -1),
      result: parseResult(rest.slice(equals + 3), this.where(call.line)),
    };
  }

  /** The events with what only the whole trace tells: when the first began, and the id of a process that was not named at first. */
  private finishedEvents(): readonly MmEvent[] {
    const events = this.order.events();
    let firstUs = Number.POSITIVE_INFINITY;
    for (const event of events) firstUs = Math.min(firstUs, event.atUs);
    for (const event of events) {
      event.pid = this.pids.resolved(event.pid);
      event.atUs -= firstUs;
    }
    return events;
  }

  private where(line: number): TraceLine {
    return { fileName: this.fileName, line };
  }
}
