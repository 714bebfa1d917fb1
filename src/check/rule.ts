/** One rule while it is being checked: what it has looked at, and what it found wrong. */

import { formatVpn, type Vpn } from '../base/units.js';
import { formatPfn, type Pfn } from '../memory/pfn.js';
import type { CheckResult } from './checkResult.js';

/** What a violation is about; its last events are looked up by it. */
export interface Subject {
  readonly page?: Vpn;
  readonly pfn?: Pfn;
}

/** The last recorded events that touch a page or a frame, oldest first, one per line; null where this run records none at all. */
export type EventSource = (what: Subject) => readonly string[] | null;

/** Violations that are told in full; the others are counted. */
const TOLD_MAX = 3;

/** `12,345 pages`, `1 page`; units are plurals in -s, or words without a number. */
function count(n: number, unit: string): string {
  const name = n === 1 ? unit.replace(/ies$/, 'y').replace(/(?<=ss)es$|s$/, '') : unit;
  // Formatting by locale is slow, and most numbers need none.
  return `${n < 1000 ? n : n.toLocaleString('en-US')} ${name}`;
}

const NO_SUBJECT: Subject = {};

export class Rule {
  private readonly units: string[];
  /** By unit, in the same order. */
  private readonly looked: number[];
  /** Made with the first violation: dozens of rules are looked at after each run of a search, and hardly one is broken. */
  private told: string[] | null = null;
  private violations = 0;
  private first = NO_SUBJECT;

  constructor(
    /** Identifier of the invariant. */
    readonly name: string,
    /** Plurals of what it looks at: each is reported, also as 0. */
    ...units: string[]
  ) {
    this.units = units;
    this.looked = new Array<number>(units.length).fill(0);
  }

  /** Things of this kind were looked at. */
  look(unit: string, n = 1): void {
    // A search among two or three names costs less than a map.
    let at = 0;
    while (at < this.units.length && this.units[at] !== unit) at++;
    if (at < this.units.length) this.looked[at] += n;
    else this.looked[this.units.push(unit) - 1] = n;
  }

  /** `what` is made only for a violation: a sentence without its subject. */
  require(holds: boolean, subject: Subject, what: () => string): void {
    if (!holds) this.violate(subject, what());
  }

  violate(subject: Subject, what: string): void {
    if (this.violations === 0) this.first = subject;
    this.violations++;
    this.told ??= [];
    if (this.told.length < TOLD_MAX) this.told.push(`${formatSubject(subject)}${what}`);
  }

  /** Whether nothing was found wrong so far. */
  get holds(): boolean {
    return this.violations === 0;
  }

  result(lastEvents: EventSource): CheckResult {
    const looked = this.units.map((unit, i) => count(this.looked[i], unit)).join(', ');
    if (this.told === null) return { name: this.name, ok: true, detail: looked, ...this.emptiness() };
    const lines = [...this.told];
    const more = this.violations - this.told.length;
    if (more > 0) lines.push(`and ${count(more, 'more')}`);
    lines.push(`(looked at ${looked})`, ...this.events(lastEvents));
    return { name: this.name, ok: false, detail: lines.join('\n') };
  }

  private emptiness(): Pick<CheckResult, 'isEmpty'> {
    return this.looked.every((n) => n === 0) ? { isEmpty: true } : {};
  }

  private events(lastEvents: EventSource): string[] {
    if (this.first.page === undefined && this.first.pfn === undefined) return [];
    const events = lastEvents(this.first);
    if (events === null) return [];
    return [
      'last events on it:',
      ...(events.length === 0 ? ['  none recorded'] : events.map((line) => `  ${line}`)),
    ];
  }
}

function formatSubject({ page, pfn }: Subject): string {
  const parts: string[] = [];
  if (page !== undefined) parts.push(`page ${formatVpn(page)}`);
  if (pfn !== undefined) parts.push(`pfn ${formatPfn(pfn)}`);
  return parts.length === 0 ? '' : `${parts.join(', ')}: `;
}
