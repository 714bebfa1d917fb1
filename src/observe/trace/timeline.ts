/** Makes spans, phases, waits, instants, counters and flows of the events of a trace: what every form in which it is shown is made of. */

import { unreachable } from '../../base/assert.js';
import { linkAt, linkName } from '../../device/interconnect.js';
import type { CatalogedStep } from '../stepCatalog.js';
import { type EventArguments, eventArguments } from './eventArguments.js';
import { FlowTable } from './flowTable.js';
import { Lanes } from './lanes.js';
import { MessageFlows } from './messageFlows.js';
import { MigrationCauses } from './migrationCauses.js';
import { begunBy, endedBy } from './ownStep.js';
import { followedSteps, instantSteps, type SpanCategory, type SpanRule, spanRules } from './spanRules.js';
import type { Trace } from './trace.js';
import { readTrace, type TracedWait, type TraceEvent, type TraceVisitor } from './traceReader.js';

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
  /** Name of the span around it of which this is a part; null for what is no phase. */
  readonly phaseOf: string | null;
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
  readonly flow: number;
  readonly open: OpenSpan[];
}

/** Stands at the end of a trace of which not all events could be kept. */
const MISSING = 'events are missing';
/** The type of a message that is a reply. */
const REPLY = 0;
interface LinkState {
  carried: number;
  underWay: number;
}

/** Lanes and tasks in one number. */
const TASKS = 2 ** 22;
const NO_ARGUMENTS: EventArguments = {};

/** The kernel faults pages home too: in walks of hmm_range_fault, for get_user_pages, for mlock. */
function causeOfWayHome({ open }: TaskLine, cause: string | null): string {
  const names = open.map(({ span }) => span.name);
  const fault = names.findLast((name) => name === 'CPU fault' || name === 'GPU fault');
  return fault ?? cause ?? (names.includes('HMM walk') ? 'HMM walk' : 'kernel access');
}

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
  private readonly followed: readonly ((typeof followedSteps)[number] | undefined)[];
  private readonly steps: readonly CatalogedStep[];
  private readonly tasks = new Map<number, TaskLine>();
  private readonly causes = new MigrationCauses();
  private readonly lanes: Lanes;
  private readonly flows = new FlowTable();
  /** Faults that a device has raised and that were not served, by device. */
  private readonly outstanding: number[];
  private readonly copiedPages: number[];
  /** Bytes that each device's links have carried so far, and that are on them now. */
  private readonly links: readonly Map<number, LinkState>[];
  private readonly actors: readonly string[];
  private readonly messages: readonly string[];
  private readonly dropped: number;
  private readonly messageFlows: MessageFlows;
  private lastNs = 0;

  constructor(
    { steps, actors, devices, messages, dropped }: Trace,
    private readonly sink: TimelineSink,
  ) {
    this.steps = steps;
    this.actors = actors;
    this.messages = messages;
    this.dropped = dropped;
    const numbers = new Map(steps.map(({ name }, number) => [name, number]));
    this.begins = steps.map(({ name }) => spanRules.find(({ begin }) => begin === name));
    this.ends = steps.map(({ name }) => spanRules.filter(({ end }) => end.includes(name)));
    this.instants = new Set(instantSteps.map((name) => numbers.get(name) ?? -1));
    this.followed = steps.map(({ name }) => followedSteps.find((followed) => followed === name));
    this.lanes = new Lanes(actors.length);
    this.outstanding = new Array<number>(devices).fill(0);
    this.copiedPages = new Array<number>(devices).fill(0);
    this.links = Array.from({ length: devices }, () => new Map());
    this.messageFlows = new MessageFlows(actors.length);
  }

  onStep(event: TraceEvent, step: number, task: string): void {
    this.note(event);
    const rule = this.begins[step];
    const ends = this.ends[step];
    const isInstant = this.instants.has(step);
    this.follow(event, step);
    const isOfSpan = rule !== undefined || ends.length > 0;
    if (!isOfSpan) this.endPhase(event, step);
    if (!isOfSpan && !isInstant) return;
    const args = eventArguments(this.steps[step].fields, event.args);
    if (isInstant) this.instant(event, step, args);
    if (rule !== undefined) this.begin(event, task, rule, args);
    else if (ends.length > 0) this.endSpan(event, ends, args);
  }

  onBlocked(event: TraceEvent, task: string, { reason, isLock, holder }: TracedWait): void {
    this.note(event);
    const line = this.lineOf(event);
    // Servants that wait for work are no news.
    if (line === undefined) return;
    const args = holder === null ? NO_ARGUMENTS : { holder };
    this.push(line, event.timeNs, `wait for ${reason}`, isLock ? 'lock' : 'wait', null, args, task);
  }

  onWoken({ head, timeNs }: TraceEvent): void {
    const line = this.tasks.get(keyOf(head.actor, head.task));
    const last = line?.open.at(-1);
    if (line === undefined || last === undefined || !isWait(last.span)) return;
    this.pop(line, timeNs, NO_ARGUMENTS);
  }

  /** A pair of steps named `...Start` and `...End` makes a span, any other one stands for itself. */
  onOwnStep(event: TraceEvent, { name, fields }: CatalogedStep, values: Float64Array, task: string): void {
    this.note(event);
    const args = eventArguments(fields, values);
    const begun = begunBy(name);
    if (begun !== null) {
      this.push(this.lineFor(event), event.timeNs, begun, 'own', null, args, task);
      return;
    }
    const line = this.lineOf(event);
    const at =
      line?.open.findLastIndex(({ span }) => span.category === 'own' && span.name === endedBy(name)) ?? -1;
    if (line !== undefined && at >= 0) this.popTo(line, at, event.timeNs, args);
    else this.tellInstant(event, name, args, this.flowOf(event) ?? 0);
  }

  onSpawned({ head }: TraceEvent): void {
    this.messageFlows.spawn(head.actor, keyOf(head.actor, head.task));
  }

  /** Closes what the end of the recording cut off, and says whether anything is missing. */
  close(): void {
    if (this.dropped > 0) {
      const args = { count: this.dropped };
      this.sink.onInstant({ name: MISSING, actor: 0, lane: -1, timeNs: this.lastNs, args, flow: 0 });
    }
    for (const line of this.tasks.values()) {
      while (line.open.length > 0) this.pop(line, this.lastNs, { cut: 1 });
    }
  }

  private note({ head, timeNs }: TraceEvent): void {
    this.lastNs = timeNs;
    this.messageFlows.goesOn(head.actor, head.task);
  }

  private lineOf({ head }: TraceEvent): TaskLine | undefined {
    return this.tasks.get(keyOf(head.actor, head.task));
  }

  private begin(event: TraceEvent, task: string, rule: SpanRule, args: EventArguments): void {
    const line = this.lineFor(event);
    const cause = rule.category === 'migration' ? { cause: this.causeOf(line, rule) } : NO_ARGUMENTS;
    this.push(line, event.timeNs, rule.name, rule.category, rule, { ...args, ...cause }, task);
  }

  /** That of the task, or a new one. */
  private lineFor({ head }: TraceEvent): TaskLine {
    const key = keyOf(head.actor, head.task);
    const known = this.tasks.get(key);
    if (known !== undefined) return known;
    const flow = this.messageFlows.flowOf(key) ?? this.flows.begin();
    const lane = this.lanes.take(head.actor);
    const line: TaskLine = { key, actor: head.actor, lane, flow, open: [] };
    this.tasks.set(key, line);
    return line;
  }

  private causeOf(line: TaskLine, rule: SpanRule): string {
    if (rule.begin === 'pagemap.evict') return this.causes.ofEviction(line.key);
    const said = this.causes.of(line.key);
    return rule.begin === 'pagemap.toRam' ? causeOfWayHome(line, said) : (said ?? 'policy');
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
    const span: Span = { name, category, actor, lane, beginNs, args, flow, task, phaseOf: null };
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
    open.phase = { ...span, name, beginNs, args: NO_ARGUMENTS, phaseOf: span.name };
    this.sink.onBegin(open.phase);
  }

  /** At a step that ends a phase of what the task is in. */
  private endPhase(event: TraceEvent, step: number): void {
    const open = this.lineOf(event)?.open.at(-1);
    if (open === undefined || open.rule === null || open.phase === null) return;
    const { name } = this.steps[step];
    const isAgain = open.rule.again === name;
    if (!isAgain && open.rule.phases[name] === undefined) return;
    this.sink.onEnd(open.phase, event.timeNs, NO_ARGUMENTS);
    this.beginPhase(open, event.timeNs, isAgain ? null : name);
  }

  /** Whatever is open within the span ends with it. */
  private endSpan(event: TraceEvent, rules: readonly SpanRule[], args: EventArguments): void {
    const line = this.lineOf(event);
    if (line === undefined) return;
    const at = line.open.findLastIndex(({ rule }) => rule !== null && rules.includes(rule));
    if (at >= 0) this.popTo(line, at, event.timeNs, args);
  }

  private popTo(line: TaskLine, at: number, endNs: number, args: EventArguments): void {
    while (line.open.length > at + 1) this.pop(line, endNs, NO_ARGUMENTS);
    this.pop(line, endNs, args);
  }

  private pop(line: TaskLine, endNs: number, args: EventArguments): void {
    const open = line.open.pop();
    if (open === undefined) return;
    if (open.phase !== null) this.sink.onEnd(open.phase, endNs, NO_ARGUMENTS);
    this.sink.onEnd(open.span, endNs, args);
    if (line.open.length > 0) return;
    this.tasks.delete(line.key);
    this.causes.spansEnd(line.key);
    this.lanes.give(line.actor, line.lane);
  }

  private instant(event: TraceEvent, step: number, args: EventArguments): void {
    const { name } = this.steps[step];
    const { args: values } = event;
    const raised =
      name === 'device.faultRaised' ? this.flows.raisedAt(values[0], values[1], values[2]) : null;
    this.tellInstant(event, name, args, raised ?? this.flowOf(event) ?? 0);
  }

  private tellInstant({ head, timeNs }: TraceEvent, name: string, args: EventArguments, flow: number): void {
    const lane = this.tasks.get(keyOf(head.actor, head.task))?.lane ?? -1;
    this.sink.onInstant({ name, actor: head.actor, lane, timeNs, args, flow });
  }

  /** What the task of an event works for, though it shows no span. */
  private flowOf(event: TraceEvent): number | null {
    const { actor, task } = event.head;
    return (
      this.lineOf(event)?.flow ??
      this.messageFlows.flowOf(keyOf(actor, task)) ??
      this.messageFlows.justDelivered(actor)
    );
  }

  private sent(event: TraceEvent, isReply: boolean): void {
    const { head, args } = event;
    const [to, type, call] = args;
    const flow = this.flowOf(event) ?? this.flows.begin();
    const name = this.messageName(type);
    this.messageFlows.send(head.actor, to, call, isReply, { name, flow });
    this.tellInstant(event, `${isReply ? 'reply to' : 'send'} ${name}`, { to: this.actorName(to) }, flow);
    if (isReply) this.messageFlows.end(head.actor, keyOf(head.actor, head.task));
  }

  private delivered(event: TraceEvent): void {
    const { head, args } = event;
    const [from, type, call] = args;
    const isReply = type === REPLY;
    const message = this.messageFlows.deliver(from, head.actor, call, isReply, head.task);
    const name = message?.name ?? (isReply ? 'a call' : this.messageName(type));
    const what = isReply ? `receive reply to ${name}` : `receive ${name}`;
    this.tellInstant(event, what, { from: this.actorName(from) }, message?.flow ?? 0);
  }

  private messageName(type: number): string {
    return this.messages[type - 1] ?? `message ${type}`;
  }

  private actorName(actor: number): string {
    return this.actors[actor] ?? `actor ${actor}`;
  }

  /** What is known only from steps that are no spans: causes, flows from actor to actor, counters. */
  private follow(event: TraceEvent, step: number): void {
    const { args, timeNs } = event;
    const name = this.followed[step];
    if (name === undefined) return;
    switch (name) {
      case 'driver.migrateStart':
        this.causes.announce(taskOf(event), args[3], this.lineOf(event) !== undefined);
        break;
      case 'device.faultRaised':
        this.flows.raise(args[0], args[1], args[2], args[3]);
        // Contexts that join a fault find it raised.
        if (args[3] === 1) this.count(this.outstanding, args[0], 1, 'faults outstanding', timeNs);
        break;
      case 'device.faultDelivered': {
        const flow = this.flows.deliver(taskOf(event), args[0], args[1], args[2]);
        if (flow !== null) this.messageFlows.adopt(taskOf(event), flow);
        break;
      }
      case 'device.faultServed':
        this.flows.serve(taskOf(event));
        this.count(this.outstanding, args[0], -1, 'faults outstanding', timeNs);
        break;
      case 'sim.send':
        this.sent(event, false);
        break;
      case 'sim.reply':
        this.sent(event, true);
        break;
      case 'sim.deliver':
        this.delivered(event);
        break;
      case 'device.linkStart':
        this.passLink(args, timeNs, args[2], 0);
        break;
      case 'device.linkEnd':
        this.passLink(args, timeNs, -args[2], args[2]);
        break;
      case 'device.vramUsed':
        this.sink.onCounter(1 + args[0], 'VRAM pages in use', timeNs, args[1]);
        break;
      case 'device.copyChunk':
        this.count(this.copiedPages, args[0], args[2], 'pages copied', timeNs);
        break;
      default:
        unreachable(name);
    }
  }

  /** Where time is not modelled, bytes never are under way: they are told of when they have passed. */
  private passLink([device, link]: Float64Array, timeNs: number, more: number, carried: number): void {
    const states = this.links[device];
    const state = states.get(link) ?? { carried: 0, underWay: 0 };
    states.set(link, state);
    const before = state.underWay;
    state.underWay = Math.max(0, before + more);
    state.carried += carried;
    const name = linkName(linkAt(link));
    if (state.underWay !== before)
      this.sink.onCounter(1 + device, `${name}: bytes under way`, timeNs, state.underWay);
    if (carried > 0) this.sink.onCounter(1 + device, `${name}: bytes carried`, timeNs, state.carried);
  }

  private count(values: number[], device: number, change: number, name: string, timeNs: number): void {
    values[device] += change;
    this.sink.onCounter(1 + device, name, timeNs, values[device]);
  }
}

/** For a lock or for anything else. */
export function isWait({ category }: Pick<Span, 'category'>): boolean {
  return category === 'lock' || category === 'wait';
}

function taskOf({ head }: TraceEvent): number {
  return keyOf(head.actor, head.task);
}

function keyOf(actor: number, task: number): number {
  return actor * TASKS + task;
}
