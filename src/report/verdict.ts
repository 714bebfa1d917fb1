/** What a run comes to: whether everything that was checked holds, and one line that says so. */

import type { RunFailure, RunReport } from '../simulation/runReport.js';
import type { Colors } from './colors.js';
import { plural } from './units.js';

export type VerdictWord = 'PASSED' | 'FAILED' | 'PARTIAL';

export interface Verdict {
  readonly word: VerdictWord;
  /** Nothing that was checked was found wrong; also of a run that was cut short. */
  readonly ok: boolean;
  /** The user ended it before its time. */
  readonly partial: boolean;
  /** The simulator failed, not what it simulates: the run says nothing about that. */
  readonly internal: boolean;
  readonly text: string;
}

type Judged = Pick<RunReport, 'outcome' | 'checks' | 'workloads' | 'failure'>;

export function verdictOf(report: Judged): Verdict {
  const wrong = wrongParts(report);
  const partial = report.outcome === 'interrupted';
  const internal = isInternal(report.failure);
  if (wrong.length > 0) return { word: 'FAILED', ok: false, partial, internal, text: wrong.join('; ') };
  const held = heldParts(report);
  if (partial)
    return { word: 'PARTIAL', ok: true, partial, internal, text: `interrupted; until then ${held}` };
  return { word: 'PASSED', ok: true, partial, internal, text: held };
}

/** A worker that died, in contrast to a rule that an actor found broken. */
function isInternal(failure: RunFailure | null): boolean {
  return failure !== null && !failure.isVerdict;
}

export function verdictLine({ word, text }: Pick<Verdict, 'word' | 'text'>, colors: Colors): string {
  const paint = { PASSED: colors.green, FAILED: colors.red, PARTIAL: colors.yellow }[word];
  return `${colors.bold(paint(word))}: ${text}`;
}

/** `all` is the actor of a run in which nobody can go on. */
export function failureTitle({ actor }: RunFailure): string {
  return actor === 'all' ? 'the run is stuck' : `${actor} failed`;
}

function wrongParts({ outcome, checks, workloads, failure }: Judged): string[] {
  const parts: string[] = [];
  const failedChecks = checks.filter(({ ok }) => !ok).map(({ name }) => name);
  const failedWorkloads = workloads.filter(({ ok }) => !ok).map(({ workload }) => workload);
  if (failedChecks.length > 0) parts.push(`violated: ${failedChecks.join(', ')}`);
  if (failedWorkloads.length > 0) parts.push(`wrong result: ${failedWorkloads.join(', ')}`);
  if (failure !== null) parts.push(failureTitle(failure));
  if (parts.length === 0 && outcome === 'failed') parts.push('the run failed');
  return parts;
}

function heldParts({ checks, workloads }: Judged): string {
  const held = checks.filter(({ isEmpty }) => isEmpty !== true).length;
  if (held === 0 && workloads.length === 0) return 'nothing was checked';
  return `${plural(held, 'check')} held${verifiedPart(workloads)}`;
}

/** One that did nothing has nothing that could be verified. */
function verifiedPart(workloads: Judged['workloads']): string {
  if (workloads.length === 0) return '';
  const idle = workloads.filter(({ isEmpty }) => isEmpty === true).length;
  const verified = `, ${plural(workloads.length - idle, 'workload')} verified`;
  return idle === 0 ? verified : `${verified}, ${idle} did nothing`;
}
