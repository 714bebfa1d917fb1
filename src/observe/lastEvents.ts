/** The last recorded steps of all actors that touch a page, or of one actor, as lines of text for violations and crash reports. */

import type { Vpn } from '../base/units.js';
import { pageInSpace } from '../device/gpuSpace.js';
import type { Pfn } from '../memory/pfn.js';
import { NotifierStep } from '../mm/mirror/mmuNotifier.js';
import { type StepField, stepDefinition } from '../sim/steps.js';
import type { ObserverBuffers } from './actorObserver.js';
import { RECORDER_STEPS, type RecordedStep } from './flightRecorder.js';
import { catalogedStep } from './stepCatalog.js';
import { stepText } from './stepText.js';

/** What events are looked for by; an event that touches either counts. */
export interface EventSubject {
  readonly page?: Vpn;
  readonly pfn?: Pfn;
}

/** What the times of events are of. */
export type EventClock = 'wall' | 'simulated';

interface ActorStep {
  readonly actor: number;
  /** Since the start of the run, on a clock that all actors share. */
  readonly timeNs: number;
  readonly step: RecordedStep;
}

/** Events of different actors are in order of time; those of one actor in the order in which they happened. */
export class LastEvents {
  constructor(
    private readonly buffers: ObserverBuffers,
    /** By actor. */
    private readonly actorNames: readonly string[],
    private readonly clock: EventClock,
  ) {}

  /** No actor has recorded anything, as where schedules are searched. */
  get isEmpty(): boolean {
    for (let actor = 0; actor < this.buffers.actorCount; actor++)
      if (this.buffers.section(actor).recorder.last(1).length > 0) return false;
    return true;
  }

  /** The last `count` events that touch the page, of whichever process, or the frame; oldest first, one per line. */
  touching(subject: EventSubject, count = 12): string[] {
    const found = this.all().filter(({ step }) => touches(step, subject));
    return this.lines(found.slice(-count));
  }

  /** The last `count` events of one actor, oldest first, one per line. */
  describeRecent(actor: number, count: number): string[] {
    return this.lines(this.of(actor, count));
  }

  private all(): ActorStep[] {
    const events: ActorStep[] = [];
    for (let actor = 0; actor < this.buffers.actorCount; actor++)
      events.push(...this.of(actor, RECORDER_STEPS));
    return events.sort(inOrder);
  }

  private of(actor: number, count: number): ActorStep[] {
    const section = this.buffers.section(actor);
    // First the two large numbers, whose difference is small: next to them nanoseconds are lost.
    const offsetNs = section.clockOffsetNs - this.buffers.runStartNs;
    return section.recorder.last(count).map((step) => ({ actor, timeNs: step.timeNs + offsetNs, step }));
  }

  private lines(events: readonly ActorStep[]): string[] {
    return events.map((event) => this.line(event));
  }

  private line({ actor, timeNs, step }: ActorStep): string {
    const time = `${(timeNs / 1000).toFixed(3)} us`.padStart(16);
    const who = (this.actorNames[actor] ?? `actor ${actor}`).padEnd(11);
    const task = step.task === 0 ? 'between tasks' : `task ${step.task}`;
    return `${time} ${this.clock}  ${who} ${task.padEnd(13)} ${this.describe(step)}`.trimEnd();
  }

  private describe(step: RecordedStep): string {
    const { name, fields } = catalogedStep(step.step);
    return stepText(name, fields, step.args, this.actorNames);
  }
}

/** Tells a notifier's window, not the pages that anything happens to, and would crowd out all else. */
const ofWholeWindow = stepDefinition(NotifierStep.readBegin).name;

/** Actors that one thread runs share their order too, which decides where a simulated clock stands still. */
function inOrder(a: ActorStep, b: ActorStep): number {
  if (a.timeNs !== b.timeNs) return a.timeNs - b.timeNs;
  return a.step.order !== b.step.order ? a.step.order - b.step.order : a.actor - b.actor;
}

function touches(step: RecordedStep, { page, pfn }: EventSubject): boolean {
  const { name, fields } = catalogedStep(step.step);
  if (name === ofWholeWindow) return false;
  for (let i = 0; i < fields.length; i++) {
    if (pfn !== undefined && fields[i] === 'pfn' && step.args[i] === pfn) return true;
    if (page === undefined || (fields[i] !== 'vpn' && fields[i] !== 'gpuVpn')) continue;
    const start = fields[i] === 'gpuVpn' ? pageInSpace(step.args[i] as Vpn) : step.args[i];
    if (start <= page && page < start + pagesFrom(fields, step.args, i)) return true;
  }
  return false;
}

/** The number of pages that goes with the page number at `at`: the first one after it, or one page. */
function pagesFrom(fields: readonly StepField[], args: readonly number[], at: number): number {
  const npages = fields.indexOf('npages', at);
  return npages < 0 ? 1 : args[npages];
}
