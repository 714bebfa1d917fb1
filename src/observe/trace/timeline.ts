/** Makes spans, phases, waits, instants, counters and flows of the events of a trace: what every form in which it is shown is made of. */

import type { CatalogedStep } from '../stepCatalog.js';
import { type EventArguments, eventArguments } from './eventArguments.js';
import { FlowTable } from './flowTable.js';
import { Lanes } from './lanes.js';
import { instantSteps, type SpanCategory, type SpanRule, spanRules } from './spanRules.js';
import type { Trace } from './trace.js';
import { readTrace, type TraceEvent, type TraceVisitor } from './traceReader.js';

/** Something of one task that takes time. Spans of one lane nest. */
export interface Span {
  readonly name: string;
  readonly category: SpanCategory;
  readonly actor: number;
  /** Among those of the actor: spans of different tasks that overlap have different ones. */
  readonly lane: number;
  readonly beginNs: number;
  readonly args: EventArguments;
  /** The same for all that follows from one fault, call or kernel. */
  readonly flow: number;
  readonly task: string;
}

export interface Instant {
  readonly name: string;
  readonly actor: number;
  /** -1 where the actor's own line is meant. */
  readonly lane: number;
  readonly timeNs: number;
  readonly args: EventArguments;
  /** 0 for none. */
  readonly flow: number;
}

/** Called in order of time; a span is told at its begin and again at its end. */
export interface TimelineSink {
  onBegin(span: Span): void;
  /** `args` are those of the step that ended it. */
  onEnd(span: Span, endNs: number, args: EventArguments): void;
  onInstant(instant: Instant): void;
  /** `value` from now on; `actor` is the device that is counted. */
  onCounter(actor: number, name: string, timeNs: number, value: number): void;
}

interface OpenSpan {
  readonly span: Span;
  readonly rule: SpanRule | null;
  /** The phase that is under way, for rules with phases. */
  phase: Span | null;
}

/** One task with something open. */
interface TaskLine {
  readonly key: number;
  readonly actor: number;
  readonly lane: number;
  readonly name: string;
  readonly flow: number;
  readonly open: OpenSpan[];
  /** Why pages that it migrates next will move. */
  cause: string | null;
}

/** Lanes and tasks in one number. */
const TASKS = 2 ** 22;
const causes = ['prefetch', 'GPU fault', 'CPU fault', 'eviction'] as const;
const NO_ARGUMENTS: EventArguments = {};

/** Reads a trace into a sink. */
export function readTimeline(trace: Trace, sink: TimelineSink): void {
  const timeline = new Timeline(trace, sink);
  readTrace(trace, timeline);
  timeline.close();
}

class Timeline implements TraceVisitor {
  private readonly begins: readonly (SpanRule | undefined)[];
  private readonly ends: readonly (readonly SpanRule[])[];
  private readonly instants: ReadonlySet<number>;
  private readonly numbers: ReadonlyMap<string, number>;
  private readonly steps: readonly CatalogedStep[];
  private readonly tasks = new Map<number, TaskLine>();
  private readonly lanes: Lanes;
  private readonly flows = new FlowTable();
  /** Faults that a device has raised and that were not served, by device. */
  private readonly outstanding: number[];
  private readonly copiedPages: number[];
  private lastNs = 0;

  constructor(
    { steps, actors, devices }: Trace,
    private readonly sink: TimelineSink,
  ) {
    this.steps = steps;
    this.numbers = new Map(steps.map(({ name }, number) => [name, number]));
    this.begins = steps.map(({ name }) => spanRules.find(({ begin }) => begin === name));
    this.ends = steps.map(({ name }) => spanRules.filter(({ end }) => end.includes(name)));
    this.instants = new Set(instantSteps.map((name) => this.numbers.get(name) ?? -1));
    this.lanes = new Lanes(actors.length);
    this.outstanding = new Array<number>(devices).fill(0);
    this.copiedPages = new Array<number>(devices).fill(0);
  }

  onStep(event: TraceEvent, step: number, task: string): void {
    this.lastNs = event.timeNs;
    const rule = this.begins[step];
    const ends = this.ends[step];
    const isInstant = this.instants.has(step);
    this.follow(event, step);
    if (rule === undefined && ends.length === 0 && !isInstant) {
      this.endPhase(event, step);
      return;
    }
    const args = eventArguments(this.steps[step].fields, event.args);
    if (rule !== undefined) this.begin(event, task, rule, args);
    else if (ends.length > 0) this.endSpan(event, ends, args);
    else this.instant(event, step, args);
  }

  onBlocked(event: TraceEvent, task: string, reason: string, holder: number): void {
    this.lastNs = event.timeNs;
    const line = this.lineOf(event);
    // Servants that wait for work are no news.
    if (line === undefined) return;
    const args = holder === 0 ? NO_ARGUMENTS : { holder: this.taskName(event.head.actor, holder) };
    this.push(line, event.timeNs, `wait for ${reason}`, 'wait', null, args, task);
  }

  onWoken({ head, timeNs }: TraceEvent): void {
    const line = this.tasks.get(keyOf(head.actor, head.task));
    const last = line?.open.at(-1);
    if (line === undefined || last === undefined || last.span.category !== 'wait') return;
    this.pop(line, timeNs, NO_ARGUMENTS);
  }

  /** Closes what the end of the recording cut off. */
  close(): void {
    for (const line of this.tasks.values()) {
      while (line.open.length > 0) this.pop(line, this.lastNs, { cut: 1 });
    }
  }

  private lineOf({ head }: TraceEvent): TaskLine | undefined {
    return this.tasks.get(keyOf(head.actor, head.task));
  }

  private taskName(actor: number, task: number): string {
    return this.tasks.get(keyOf(actor, task % TASKS))?.name ?? `task ${task}`;
  }

  private begin(event: TraceEvent, task: string, rule: SpanRule, args: EventArguments): void {
    const { head, timeNs } = event;
    const key = keyOf(head.actor, head.task);
    let line = this.tasks.get(key);
    if (line === undefined) {
      const flow = this.flows.joined(rule.begin, event.args) ?? this.flows.begin();
      const lane = this.lanes.take(head.actor);
      line = { key, actor: head.actor, lane, name: task, flow, open: [], cause: null };
      this.tasks.set(key, line);
    }
    const cause = rule.category === 'migration' ? { cause: this.causeOf(line, rule) } : NO_ARGUMENTS;
    this.push(line, timeNs, rule.name, rule.category, rule, { ...args, ...cause }, task);
  }

  private causeOf(line: TaskLine, rule: SpanRule): string {
    if (rule.begin === 'pagemap.toRam') return 'CPU fault';
    return line.cause ?? (rule.begin === 'pagemap.evict' ? 'eviction' : 'policy');
  }

  private push(
    line: TaskLine,
    beginNs: number,
    name: string,
    category: SpanCategory,
    rule: SpanRule | null,
    args: EventArguments,
    task: string,
  ): void {
    const { actor, lane, flow } = line;
    const span: Span = { name, category, actor, lane, beginNs, args, flow, task };
    const open: OpenSpan = { span, rule, phase: null };
    line.open.push(open);
    this.sink.onBegin(span);
    this.beginPhase(open, beginNs);
  }

  /** The first phase has the name of the first step that ends one. */
  private beginPhase(open: OpenSpan, beginNs: number, after: string | null = null): void {
    const { rule, span } = open;
    if (rule === null) return;
    const names = Object.entries(rule.phases);
    if (names.length === 0) return;
    const next = names[after === null ? 0 : names.findIndex(([step]) => step === after) + 1];
    const name = next?.[1] ?? rule.lastPhase;
    if (name === undefined) return;
    open.phase = { ...span, name, beginNs, args: NO_ARGUMENTS };
    this.sink.onBegin(open.phase);
  }

  /** At a step that ends a phase of what the task is in. */
  private endPhase(event: TraceEvent, step: number): void {
    const open = this.lineOf(event)?.open.at(-1);
    if (open === undefined || open.rule === null || open.phase === null) return;
    const { name } = this.steps[step];
    if (open.rule.phases[name] === undefined) return;
    this.sink.onEnd(open.phase, event.timeNs, NO_ARGUMENTS);
    this.beginPhase(open, event.timeNs, name);
  }

  /** Whatever is open within the span ends with it. */
  private endSpan(event: TraceEvent, rules: readonly SpanRule[], args: EventArguments): void {
    const line = this.lineOf(event);
    if (line === undefined) return;
    const at = line.open.findLastIndex(({ rule }) => rule !== null && rules.includes(rule));
    if (at < 0) return;
    while (line.open.length > at + 1) this.pop(line, event.timeNs, NO_ARGUMENTS);
    this.pop(line, event.timeNs, args);
  }

  private pop(line: TaskLine, endNs: number, args: EventArguments): void {
    const open = line.open.pop();
    if (open === undefined) return;
    if (open.phase !== null) this.sink.onEnd(open.phase, endNs, NO_ARGUMENTS);
    this.sink.onEnd(open.span, endNs, args);
    if (line.open.length > 0) return;
    this.tasks.delete(line.key);
    this.lanes.give(line.actor, line.lane);
  }

  private instant(event: TraceEvent, step: number, args: EventArguments): void {
    const line = this.lineOf(event);
    const { name } = this.steps[step];
    this.sink.onInstant({
      name,
      actor: event.head.actor,
      lane: line?.lane ?? -1,
      timeNs: event.timeNs,
      args,
      flow: line?.flow ?? this.flows.joined(name, event.args) ?? 0,
    });
  }

  /** What is known only from steps that are no spans: causes, flows from actor to actor, counters. */
  private follow(event: TraceEvent, step: number): void {
    const { args, timeNs } = event;
    switch (this.steps[step].name) {
      case 'driver.migrateStart': {
        const line = this.lineOf(event);
        if (line !== undefined) line.cause = causes[args[3]] ?? null;
        break;
      }
      case 'driver.zap':
        this.flows.invalidates(args[2], args[0], this.lineOf(event)?.flow ?? 0);
        break;
      case 'device.faultRaised':
        this.flows.raise(args[0], args[1]);
        // Contexts that join a fault find it raised.
        if (args[3] === 1) this.count(this.outstanding, args[0], 1, 'faults outstanding', timeNs);
        break;
      case 'device.faultServed':
        this.count(this.outstanding, args[0], -1, 'faults outstanding', timeNs);
        break;
      case 'device.copyChunk':
        this.count(this.copiedPages, args[0], args[2], 'pages copied', timeNs);
        break;
    }
  }

  private count(values: number[], device: number, change: number, name: string, timeNs: number): void {
    values[device] += change;
    this.sink.onCounter(1 + device, name, timeNs, values[device]);
  }
}

function keyOf(actor: number, task: number): number {
  return actor * TASKS + task;
}
